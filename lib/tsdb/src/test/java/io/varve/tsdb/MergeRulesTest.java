package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.chunk.Encoding;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.model.SampleCursor;
import io.varve.model.Span;
import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What has to hold of a series merged from several blocks, whatever its samples are: floats, histograms of all kinds and layouts, start times. */
class MergeRulesTest {
    private static final Labels LABELS = Labels.of("__name__", "m");

    /**
     * @param start start timestamp, 0 unknown
     * @param value a double, {@link Histogram} or {@link FloatHistogram}
     */
    private record Sample(long start, Object value) {
        /** What it means, whatever spans or encoding say it. */
        String meaning() {
            return start + " " + switch (value) {
                case Double d -> Long.toHexString(Double.doubleToRawLongBits(d));
                case Histogram h -> "int " + meaning(h.toFloat());
                case FloatHistogram h -> "float " + meaning(h);
                default -> throw new AssertionError(value);
            };
        }

        private static String meaning(FloatHistogram h) {
            return h.isStale()
                    ? "stale"
                    : h.schema() + " " + h.zeroThreshold() + " " + h.zeroCount() + " " + h.count() + " " + h.sum() + " " + h.buckets() + " "
                            + Arrays.toString(h.customValues());
        }
    }

    /** One block's samples of the series. */
    private static final class Source {
        private final RandomGenerator random;
        private final long[] counts = new long[6];
        private int layout;
        private final int kind;

        Source(RandomGenerator random) {
            this.random = random;
            this.kind = random.nextInt(6);
        }

        Object next(long t) {
            if (random.nextInt(30) == 0) {
                layout = random.nextInt(4);
            }
            if (random.nextInt(40) == 0) {
                Arrays.fill(counts, 0);
            }
            for (int i = 0; i < counts.length; i++) {
                counts[i] += random.nextInt(4);
            }
            boolean stale = random.nextInt(60) == 0;
            return switch (kind) {
                case 0 -> stale ? SampleBuffer.STALE_NAN : (double) t % 977;
                case 1 -> histogram(CounterResetHint.UNKNOWN, stale);
                case 2 -> histogram(CounterResetHint.GAUGE, stale);
                case 3 -> histogram(CounterResetHint.UNKNOWN, stale).toFloat();
                case 4 -> custom(stale);
                // All in one row.
                default -> random.nextInt(20) == 0 ? (Object) (double) t : histogram(CounterResetHint.UNKNOWN, stale);
            };
        }

        private Histogram histogram(CounterResetHint hint, boolean stale) {
            List<Span> positive = switch (layout) {
                case 0 -> List.of(new Span(-2, 3));
                case 1 -> List.of(new Span(0, 2), new Span(3, 1));
                case 2 -> List.of(new Span(1, 1), new Span(0, 2));
                default -> List.of(new Span(5, 3));
            };
            List<Span> negative = layout < 2 ? List.of() : List.of(new Span(layout, 1));
            long[] deltas = {counts[0], counts[1] - counts[0], counts[2] - counts[1]};
            long[] negatives = negative.isEmpty() ? new long[0] : new long[]{counts[3]};
            long total = counts[0] + counts[1] + counts[2] + (negative.isEmpty() ? 0 : counts[3]) + counts[4];
            return new Histogram(hint, layout == 3 ? 1 : 0, 0.001, counts[4], total, stale ? SampleBuffer.STALE_NAN : total * 0.5, positive,
                    deltas, negative, negatives, FloatHistogram.NO_BUCKETS);
        }

        private Histogram custom(boolean stale) {
            double[] bounds = layout < 2 ? new double[]{1, 2.5} : new double[]{1, 2.5, 10};
            long total = counts[0] + counts[1];
            return new Histogram(CounterResetHint.UNKNOWN, FloatHistogram.CUSTOM_BUCKETS_SCHEMA, 0, 0, total,
                    stale ? SampleBuffer.STALE_NAN : total, List.of(new Span(0, 2)), new long[]{counts[0], counts[1] - counts[0]},
                    List.of(),
                    new long[0], bounds);
        }
    }

    private static ChunkSeriesSet set(List<Chunk> chunks) {
        Iterator<ChunkSeries> it = List.of(new ChunkSeries(LABELS, chunks)).iterator();
        return new ChunkSeriesSet() {
            @Override
            public @Nullable ChunkSeries next() {
                return it.hasNext() ? it.next() : null;
            }

            @Override
            public void close() {
            }
        };
    }

    private static List<Chunk> merge(List<List<Chunk>> inputs) {
        try (MergedChunkSeriesSet merged = new MergedChunkSeriesSet(inputs.stream().map(MergeRulesTest::set).toList(),
                OverlapMerger.chain())) {
            ChunkSeries s = merged.next();
            assertThat(s).isNotNull();
            assertThat(merged.next()).isNull();
            return s == null ? List.of() : s.chunks();
        }
    }

    private static void append(ChunkAppender appender, long t, Sample s) {
        switch (s.value) {
            case Double d -> appender.append(s.start, t, d);
            case Histogram h -> appender.append(s.start, t, h);
            case FloatHistogram h -> appender.append(s.start, t, h);
            default -> throw new AssertionError(s.value);
        }
    }

    private static boolean keepsStarts(Encoding e) {
        return e == Encoding.XOR2 || e == Encoding.HISTOGRAM_ST || e == Encoding.FLOAT_HISTOGRAM_ST;
    }

    private static void read(List<Chunk> chunks, Map<Long, Sample> into) {
        for (Chunk c : chunks) {
            SampleCursor cursor = ChunkDecoder.cursor(c);
            for (SampleCursor.Kind k = cursor.next(); k != SampleCursor.Kind.END; k = cursor.next()) {
                Object v = switch (k) {
                    case FLOAT -> cursor.value();
                    case HISTOGRAM -> cursor.histogram();
                    default -> cursor.floatHistogram();
                };
                into.put(cursor.timestamp(), new Sample(cursor.startTimestamp(), v));
            }
        }
    }

    @Test
    void everyTimeOnceWithASampleThatWasThereAndNoFalseClaimOfAResetOrNone() {
        Seeds.forEach(150, random -> {
            int blocks = 2 + random.nextInt(4);
            long step = 1 + random.nextInt(3);
            List<List<Chunk>> inputs = new ArrayList<>();
            Map<Long, List<String>> there = new HashMap<>();
            boolean[] starts = new boolean[blocks];
            for (int b = 0; b < blocks; b++) {
                List<Chunk> chunks = new ArrayList<>();
                starts[b] = random.nextInt(3) == 0;
                ChunkAppender appender = starts[b]
                        ? ChunkAppender.withStartTimestamps(1 + random.nextInt(150), chunks::add)
                        : ChunkAppender.plain(1 + random.nextInt(150), chunks::add);
                Source source = new Source(random);
                long t = 1_000_000 + random.nextInt(400);
                long start = 0;
                for (int i = 1 + random.nextInt(400); i > 0; i--) {
                    if (random.nextInt(25) == 0) {
                        start = random.nextBoolean() ? 0 : t - 1;
                    }
                    append(appender, t, new Sample(starts[b] ? start : 0, source.next(t)));
                    t += random.nextInt(80) == 0 ? 300 : step;
                }
                appender.cut();
                inputs.add(chunks);
                TreeMap<Long, Sample> read = new TreeMap<>();
                read(chunks, read);
                read.forEach((time, s) -> there.computeIfAbsent(time, k -> new ArrayList<>()).add(s.meaning()));
            }
            List<Chunk> merged = merge(inputs);
            check(merged, there);
            // Merged again with one of its inputs, nothing is new.
            if (random.nextInt(4) == 0) {
                check(merge(List.of(merged, inputs.getFirst())), there);
            }
        });
    }

    private static void check(List<Chunk> merged, Map<Long, List<String>> there) {
        long end = Long.MIN_VALUE;
        int samples = 0;
        for (Chunk c : merged) {
            assertThat(c.minTime()).isGreaterThan(end);
            end = c.maxTime();
            FloatHistogram before = null;
            SampleCursor cursor = ChunkDecoder.cursor(c);
            long t = Long.MIN_VALUE;
            for (SampleCursor.Kind k = cursor.next(); k != SampleCursor.Kind.END; k = cursor.next()) {
                assertThat(cursor.timestamp()).isGreaterThan(t).isBetween(c.minTime(), c.maxTime());
                t = cursor.timestamp();
                Object value = k == SampleCursor.Kind.FLOAT
                        ? (Object) cursor.value()
                        : k == SampleCursor.Kind.HISTOGRAM ? cursor.histogram() : cursor.floatHistogram();
                assertThat(there.get(t)).contains(new Sample(cursor.startTimestamp(), value).meaning());
                samples++;
                FloatHistogram h = value instanceof Histogram i ? i.toFloat() : value instanceof FloatHistogram f ? f : null;
                if (h != null && h.hint() == CounterResetHint.NOT_RESET && before != null) {
                    assertThat(h.withHint(CounterResetHint.UNKNOWN).isResetAfter(before.withHint(CounterResetHint.UNKNOWN)))
                            .as("claims that there is no reset at " + t).isFalse();
                }
                before = h;
            }
        }
        assertThat(samples).isEqualTo(there.size());
    }

    @Test
    void whatOverlapsIsCutAfter120SamplesAndWhereStartTimesBeginOrEnd() {
        List<Chunk> a = new ArrayList<>();
        List<Chunk> b = new ArrayList<>();
        ChunkAppender first = ChunkAppender.withStartTimestamps(1000, a::add);
        ChunkAppender second = ChunkAppender.plain(1000, b::add);
        for (int i = 0; i < 300; i++) {
            // Known for the middle hundred.
            first.append(i >= 100 && i < 200 ? 5 : 0, 1000 + 10 * i, i);
            second.append(1000 + 10 * i + (i == 250 ? 5 : 0), i);
        }
        first.cut();
        second.cut();
        // All of one chunk come from the first source but for the one sample at a time of its own.
        List<Chunk> merged = merge(List.of(a, b));
        Map<Long, Sample> got = new TreeMap<>();
        read(merged, got);
        assertThat(got).hasSize(301);
        for (Chunk c : merged) {
            assertThat(ChunkDecoder.sampleCount(c)).isLessThanOrEqualTo(ChunkAppender.USUAL_SAMPLES);
            SampleCursor cursor = ChunkDecoder.cursor(c);
            for (SampleCursor.Kind k = cursor.next(); k != SampleCursor.Kind.END; k = cursor.next()) {
                assertThat(cursor.startTimestamp() != 0).isEqualTo(keepsStarts(c.encoding()));
            }
        }
    }

    /** The samples before a block's edge are in another block: what a chunk's header says of its first sample is not looked at, nor changed. */
    @Test
    void chunksOnBothSidesOfABlocksEdgeStayAsTheyAre() {
        List<Chunk> a = new ArrayList<>();
        List<Chunk> b = new ArrayList<>();
        ChunkAppender first = ChunkAppender.plain(50, a::add);
        ChunkAppender second = ChunkAppender.plain(50, b::add);
        for (int i = 0; i < 120; i++) {
            Histogram h = new Histogram(i == 60 ? CounterResetHint.RESET : CounterResetHint.UNKNOWN, 0, 0.001, 0, 10 + i % 60, i,
                    List.of(new Span(0, 1)), new long[]{10 + i % 60}, List.of(), new long[0], FloatHistogram.NO_BUCKETS);
            (i < 60 ? first : second).append(0, i, h);
        }
        first.cut();
        second.cut();
        List<Chunk> merged = merge(List.of(b, a));
        List<Chunk> want = new ArrayList<>(a);
        want.addAll(b);
        assertThat(merged).hasSameSizeAs(want);
        for (int i = 0; i < want.size(); i++) {
            assertThat(merged.get(i).sameContent(want.get(i))).isTrue();
        }
        assertThat(ChunkDecoder.counterReset(merged.get(a.size()))).isEqualTo(CounterResetHint.RESET);
    }
}
