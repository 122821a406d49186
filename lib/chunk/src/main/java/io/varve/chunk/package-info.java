/**
 * Sample encodings: bytes in, samples out, and back. No I/O, no state between calls. Formats: Prometheus {@code tsdb/chunkenc}
 * and Thanos' downsampled chunks, described bit by bit in {@code docs/format/chunks.md}.
 *
 * <p>
 * Where to start: {@link io.varve.chunk.ChunkDecoder} turns a chunk into arrays (the fast way) or into a cursor (exact in kind);
 * {@link io.varve.chunk.ChunkAppender} turns samples into chunks and cuts them where Prometheus would;
 * {@link io.varve.chunk.AggregateChunk} takes downsampled chunks apart and puts them together. Below them
 * {@code BitReader} and {@code BitWriter} know the bit stream, {@code XorDecoder} is the hot loop of everything,
 * {@code HistogramReader} and the encoders know one encoding each.
 */
@NullMarked
package io.varve.chunk;

import org.jspecify.annotations.NullMarked;
