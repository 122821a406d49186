package io.varve.compactor;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.Encoding;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.Labels;
import io.varve.model.SampleCursor;
import io.varve.model.SampleCursor.Kind;
import io.varve.model.Span;
import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Merging by arrays chooses what the penalty algorithm chooses when it asks sample by sample. */
class PenaltyMergerTest {
    private final PenaltyMerger merger = new PenaltyMerger();

    @Test
    void choosesAsTheDefinitionDoes() {
        Seeds.forEach(400, random -> {
            List<Chunk> chunks = new ArrayList<>();
            int replicas = 1 + random.nextInt(4);
            int kind = random.nextInt(4);
            for (int r = 0; r < replicas; r++) {
                replica(random, kind, chunks);
            }
            chunks.sort(Comparator.comparingLong(Chunk::minTime).thenComparingLong(Chunk::maxTime));
            assertThat(samples(merger.merge(Labels.EMPTY, chunks))).isEqualTo(samples(byDefinition(chunks)));
        });
    }

    @Test
    void timesAtTheEndsOfTheRange() {
        Seeds.forEach(200, random -> {
            List<Chunk> chunks = new ArrayList<>();
            for (int r = 0; r < 3; r++) {
                ChunkAppender appender = ChunkAppender.plain(5, chunks::add);
                long t = random.nextBoolean() ? Long.MIN_VALUE + random.nextInt(100) : Long.MAX_VALUE - 2_000_000;
                for (int i = 0; i < 12; i++) {
                    appender.append(0, t, i);
                    t += 1 + random.nextInt(100_000);
                }
                appender.cut();
            }
            chunks.sort(Comparator.comparingLong(Chunk::minTime).thenComparingLong(Chunk::maxTime));
            assertThat(samples(merger.merge(Labels.EMPTY, chunks))).isEqualTo(samples(byDefinition(chunks)));
        });
    }

    @Test
    void hundredsOfChunksThatOverlapInARow() {
        List<Chunk> chunks = new ArrayList<>();
        RandomGenerator random = new java.util.SplittableRandom(1);
        for (int r = 0; r < 2; r++) {
            ChunkAppender appender = ChunkAppender.plain(7 + r, chunks::add);
            for (int i = 0; i < 3000; i++) {
                appender.append(0, i * 15_000L + random.nextInt(50) + r * 7000, i);
            }
            appender.cut();
        }
        chunks.sort(Comparator.comparingLong(Chunk::minTime).thenComparingLong(Chunk::maxTime));
        assertThat(samples(merger.merge(Labels.EMPTY, chunks))).isEqualTo(samples(byDefinition(chunks)));
    }

    @Test
    void pairsOfChunks() {
        Seeds.forEach(3000, random -> {
            List<Chunk> chunks = new ArrayList<>();
            long step = 1 + random.nextInt(random.nextBoolean() ? 60_000 : 8000);
            int n = 1 + random.nextInt(random.nextBoolean() ? 4 : 150);
            int missed = random.nextInt(3) == 0 ? 20 : 500;
            for (int r = 0; r < 2; r++) {
                ChunkAppender appender = ChunkAppender.plain(1000, chunks::add);
                long t = random.nextInt(4) == 0 ? 0 : random.nextLong(step + 1);
                int count = random.nextInt(3) == 0 ? 1 + random.nextInt(n) : n;
                for (int i = 0; i < count; i++) {
                    appender.append(t, random.nextInt(3) == 0 ? random.nextDouble() : i);
                    t += step + random.nextInt(50) + (random.nextInt(missed) == 0 ? random.nextInt(4) * step : 0);
                }
                appender.cut();
            }
            chunks.sort(Comparator.comparingLong(Chunk::minTime).thenComparingLong(Chunk::maxTime));
            List<Chunk> expected = byDefinition(chunks);
            List<Chunk> merged = merger.merge(Labels.EMPTY, chunks);
            assertThat(merged).hasSameSizeAs(expected);
            for (int i = 0; i < merged.size(); i++) {
                assertThat(merged.get(i).sameContent(expected.get(i))).isTrue();
            }
        });
    }

    @Test
    void chunksThatAreChosenWholeAreTakenAsTheyAre() {
        int[] taken = new int[1];
        Seeds.forEach(100, random -> {
            List<Chunk> chunks = new ArrayList<>();
            for (int r = 0; r < 1 + random.nextInt(3); r++) {
                ChunkAppender appender = ChunkAppender.plain(random.nextInt(4) == 0 ? 100 : 120, chunks::add);
                int missed = random.nextInt(3) == 0 ? 60 : 1000;
                for (int i = 0; i < 400; i++) {
                    if (random.nextInt(missed) > 0) {
                        appender.append(0, i * 30_000L + random.nextInt(50) + r * 9000, random.nextInt(1000));
                    }
                    if (i == 120 && random.nextBoolean()) {
                        appender.cut();
                    }
                }
                appender.cut();
            }
            if (random.nextInt(4) == 0) {
                chunks.add(new Chunk(0, 0, Encoding.XOR, new byte[2], 0, 2));
            }
            chunks.sort(Comparator.comparingLong(Chunk::minTime).thenComparingLong(Chunk::maxTime));
            List<Chunk> expected = byDefinition(chunks);
            List<Chunk> merged = merger.merge(Labels.EMPTY, chunks);
            assertThat(merged).hasSameSizeAs(expected);
            for (int i = 0; i < merged.size(); i++) {
                Chunk m = merged.get(i);
                assertThat(m.sameContent(expected.get(i))).isTrue();
                taken[0] += chunks.stream().anyMatch(c -> c.data() == m.data()) ? 1 : 0;
            }
        });
        assertThat(taken[0]).isPositive();
    }

    /** Chunks of one replica: regular, with gaps, jitter and now and then another interval. */
    private static void replica(RandomGenerator random, int kind, List<Chunk> out) {
        ChunkAppender appender = kind == 3
                ? ChunkAppender.withStartTimestamps(1 + random.nextInt(30), out::add)
                : ChunkAppender.plain(1 + random.nextInt(30), out::add);
        long t = random.nextInt(60_000);
        long step = 1000L * (1 + random.nextInt(30));
        int n = 1 + random.nextInt(200);
        for (int i = 0; i < n; i++) {
            if (kind == 1 || kind == 2 && random.nextInt(40) < 20) {
                Histogram h = new Histogram(CounterResetHint.UNKNOWN, 1, 0, 0, i, i, List.of(new Span(0, 1)), new long[]{i}, List.of(),
                        new long[0], FloatHistogram.NO_BUCKETS);
                if (random.nextBoolean()) {
                    appender.append(0, t, h);
                } else {
                    appender.append(0, t, h.toFloat());
                }
            } else {
                appender.append(kind == 3 ? t - 5 : 0, t, random.nextInt(1000));
            }
            t += step + random.nextInt(50) + (random.nextInt(20) == 0 ? random.nextInt(400_000) : 0);
        }
        appender.cut();
    }

    private static List<Chunk> byDefinition(List<Chunk> chunks) {
        SampleCursor merged = null;
        boolean starts = false;
        for (Chunk c : chunks) {
            starts |= c.encoding().code() >= 4;
            merged = merged == null ? ChunkDecoder.cursor(c) : new PenaltyCursor(merged, ChunkDecoder.cursor(c));
        }
        List<Chunk> out = new ArrayList<>();
        ChunkAppender appender = starts ? ChunkAppender.withStartTimestamps(120, out::add) : ChunkAppender.plain(120, out::add);
        for (Kind k = merged == null ? Kind.END : merged.next(); merged != null && k != Kind.END; k = merged.next()) {
            appender.append(merged, k);
        }
        appender.cut();
        return out;
    }

    private static List<String> samples(List<Chunk> chunks) {
        List<String> out = new ArrayList<>();
        for (Chunk c : chunks) {
            SampleCursor s = ChunkDecoder.cursor(c);
            for (Kind k = s.next(); k != Kind.END; k = s.next()) {
                out.add(c.encoding() + " " + s.timestamp() + " " + s.startTimestamp() + " " + switch (k) {
                    case FLOAT -> Double.toString(s.value());
                    case HISTOGRAM -> s.histogram().count() + " " + s.histogram().hint();
                    case FLOAT_HISTOGRAM -> s.floatHistogram().count() + " " + s.floatHistogram().hint();
                    case END -> "";
                });
            }
        }
        return out;
    }

    /** The definition: two replicas as one, sample by sample. */
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
