/**
 * Sample encodings: bytes in, samples out, and back. No I/O, no state between calls. Formats: Prometheus {@code tsdb/chunkenc}
 * and Thanos' downsampled chunks.
 */
@NullMarked
package io.varve.chunk;

import org.jspecify.annotations.NullMarked;
