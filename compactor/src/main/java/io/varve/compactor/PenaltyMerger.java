package io.varve.compactor;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.Encoding;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.SampleCursor;
import io.varve.model.SampleCursor.Kind;
import io.varve.tsdb.OverlapMerger;
import java.util.ArrayList;
import java.util.List;

/**
 * Merges overlapping chunks of HA replicas as the querier's penalty algorithm chooses samples: it stays with one replica and changes over only
 * when that one has missed samples for longer than twice the last step. {@code --deduplication.func=penalty} of the compactor. Thanos merges only
 * chunks of one kind and loses the others; here floats and histograms are merged in one row.
 */
final class PenaltyMerger implements OverlapMerger {
    @Override
    public List<Chunk> merge(Labels labels, List<Chunk> overlapping) {
        SampleCursor merged = null;
        boolean startTimestamps = false;
        for (Chunk chunk : overlapping) {
            if (chunk.encoding() == Encoding.AGGREGATE) {
                throw new InvalidRequestException(
                        "downsampled chunks of " + labels + " overlap at " + chunk.minTime() + ": they cannot be merged");
            }
            startTimestamps |= switch (chunk.encoding()) {
                case XOR2, HISTOGRAM_ST, FLOAT_HISTOGRAM_ST -> true;
                case XOR, HISTOGRAM, FLOAT_HISTOGRAM, AGGREGATE -> false;
            };
            SampleCursor next = ChunkDecoder.cursor(chunk);
            merged = merged == null ? next : new PenaltyCursor(merged, next);
        }
        List<Chunk> out = new ArrayList<>();
        if (merged == null) {
            return out;
        }
        ChunkAppender appender = startTimestamps
                ? ChunkAppender.withStartTimestamps(ChunkAppender.USUAL_SAMPLES, out::add)
                : ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, out::add);
        for (Kind kind = merged.next(); kind != Kind.END; kind = merged.next()) {
            appender.append(merged, kind);
        }
        appender.cut();
        return out;
    }

    /** Two replicas as one. */
    private static final class PenaltyCursor implements SampleCursor {
        private static final long INITIAL_PENALTY_MILLIS = 5000;

        private final SampleCursor a;
        private final SampleCursor b;
        private Kind kindA;
        private Kind kindB;
        private long penaltyA;
        private long penaltyB;
        private long last = Long.MIN_VALUE;
        private boolean useA = true;
        private Kind kind = Kind.END;

        PenaltyCursor(SampleCursor a, SampleCursor b) {
            this.a = a;
            this.b = b;
            this.kindA = a.next();
            this.kindB = b.next();
        }

        private static Kind forward(SampleCursor cursor, Kind at, long time) {
            Kind kind = at;
            while (kind != Kind.END && cursor.timestamp() < time) {
                kind = cursor.next();
            }
            return kind;
        }

        @Override
        public Kind next() {
            kindA = forward(a, kindA, last + 1 + penaltyA);
            kindB = forward(b, kindB, last + 1 + penaltyB);
            if (kindA == Kind.END) {
                useA = false;
                penaltyB = 0;
                kind = kindB;
            } else if (kindB == Kind.END) {
                useA = true;
                penaltyA = 0;
                kind = kindA;
            } else {
                useA = a.timestamp() <= b.timestamp();
                long chosen = useA ? a.timestamp() : b.timestamp();
                long penalty = last == Long.MIN_VALUE ? INITIAL_PENALTY_MILLIS : 2 * (chosen - last);
                penaltyA = useA ? 0 : penalty;
                penaltyB = useA ? penalty : 0;
                kind = useA ? kindA : kindB;
            }
            if (kind != Kind.END) {
                last = current().timestamp();
            }
            return kind;
        }

        @Override
        public Kind seek(long timestampMillis) {
            // Step by step, so that the choice is the same as when every sample is asked for.
            Kind k = last == Long.MIN_VALUE ? next() : kind;
            while (k != Kind.END && timestamp() < timestampMillis) {
                k = next();
            }
            return k;
        }

        private SampleCursor current() {
            return useA ? a : b;
        }

        @Override
        public long timestamp() {
            return current().timestamp();
        }

        @Override
        public long startTimestamp() {
            return current().startTimestamp();
        }

        @Override
        public double value() {
            return current().value();
        }

        @Override
        public Histogram histogram() {
            return current().histogram();
        }

        @Override
        public FloatHistogram floatHistogram() {
            return current().floatHistogram();
        }
    }
}
