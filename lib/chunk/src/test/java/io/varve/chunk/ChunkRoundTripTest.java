package io.varve.chunk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleBuffer;
import io.varve.model.SampleCursor;
import io.varve.model.Span;
import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is appended is read again, bit by bit, whatever the numbers. */
class ChunkRoundTripTest {
    private final List<Chunk> chunks = new ArrayList<>();

    private ChunkAppender appender(boolean starts, int maxSamples) {
        chunks.clear();
        return starts ? ChunkAppender.withStartTimestamps(maxSamples, chunks::add) : ChunkAppender.plain(maxSamples, chunks::add);
    }

    /** The chunk's payload somewhere inside a larger array, with or without bytes behind it. */
    private static Chunk moved(Chunk c, RandomGenerator random) {
        int before = random.nextInt(5);
        int after = random.nextInt(12);
        byte[] data = new byte[before + c.length() + after];
        random.nextBytes(data);
        System.arraycopy(c.data(), c.offset(), data, before, c.length());
        return new Chunk(c.minTime(), c.maxTime(), c.encoding(), data, before, c.length());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void floatsOfAnyKind(boolean starts) {
        Seeds.forEach(3000, random -> {
            int n = 1 + random.nextInt(random.nextInt(10) == 0 ? 300 : 12);
            long[] t = Samples.times(random, n);
            double[] v = new double[n];
            long[] st = new long[n];
            ChunkAppender appender = appender(starts, Integer.MAX_VALUE);
            for (int i = 0; i < n; i++) {
                v[i] = Samples.value(random, i == 0 ? 42 : v[i - 1]);
                st[i] = i > 0 && random.nextInt(3) > 0
                        ? st[i - 1]
                        : random.nextInt(4) == 0 ? Samples.edge(random) : t[i] - random.nextInt(9);
                appender.append(st[i], t[i], v[i]);
            }
            assertThat(appender.sampleCount()).isEqualTo(n);
            int size = appender.sizeBytes();
            appender.cut();
            assertThat(chunks).hasSize(1);
            Chunk chunk = chunks.getFirst();
            assertThat(chunk.length()).isEqualTo(size);
            assertThat(chunk.minTime()).isEqualTo(t[0]);
            assertThat(chunk.maxTime()).isEqualTo(t[n - 1]);
            chunk = moved(chunk, random);
            assertThat(ChunkDecoder.sampleCount(chunk)).isEqualTo(n);
            SampleBuffer b = new SampleBuffer(random.nextInt(4));
            b.add(1, FloatHistogram.STALE);
            b.startTimestampArray()[0] = 5;
            assertThat(ChunkDecoder.decode(chunk, b)).isEqualTo(n);
            assertThat(b.size).isEqualTo(n + 1);
            SampleCursor cursor = ChunkDecoder.cursor(chunk);
            for (int i = 0; i < n; i++) {
                assertThat(b.timestamps[i + 1]).isEqualTo(t[i]);
                assertThat(Double.doubleToRawLongBits(b.values[i + 1])).isEqualTo(Double.doubleToRawLongBits(v[i]));
                assertThat(b.histogram(i + 1)).isNull();
                assertThat(b.startTimestampArray()[i + 1]).isEqualTo(starts ? st[i] : 0);
                assertThat(cursor.next()).isEqualTo(SampleCursor.Kind.FLOAT);
                assertThat(cursor.timestamp()).isEqualTo(t[i]);
                assertThat(cursor.startTimestamp()).isEqualTo(starts ? st[i] : 0);
                assertThat(Double.doubleToRawLongBits(cursor.value())).isEqualTo(Double.doubleToRawLongBits(v[i]));
            }
            assertThat(cursor.next()).isEqualTo(SampleCursor.Kind.END);
            assertThat(cursor.next()).isEqualTo(SampleCursor.Kind.END);
        });
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void arraysGiveTheSameChunksAsSampleBySample(boolean starts) {
        Seeds.forEach(2000, random -> {
            int n = 1 + random.nextInt(random.nextInt(10) == 0 ? 400 : 20);
            long[] t = Samples.times(random, n);
            double[] v = new double[n];
            int max = 1 + random.nextInt(150);
            ChunkAppender single = appender(starts, max);
            for (int i = 0; i < n; i++) {
                v[i] = Samples.value(random, i == 0 ? 42 : v[i - 1]);
                single.append(0, t[i], v[i]);
            }
            single.cut();
            List<Chunk> want = List.copyOf(chunks);
            ChunkAppender arrays = appender(starts, max);
            for (int from = 0; from < n;) {
                int to = Math.min(n, from + random.nextInt(1 + n));
                if (random.nextInt(4) == 0) {
                    arrays.append(t[from], v[from]);
                    from++;
                }
                arrays.append(t, v, from, Math.max(from, to));
                from = Math.max(from, to);
            }
            arrays.cut();
            assertThat(chunks).hasSameSizeAs(want);
            for (int i = 0; i < want.size(); i++) {
                assertThat(chunks.get(i).sameContent(want.get(i))).isTrue();
                assertThat(chunks.get(i).minTime()).isEqualTo(want.get(i).minTime());
                assertThat(chunks.get(i).maxTime()).isEqualTo(want.get(i).maxTime());
            }
        });
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void integerHistogramsOfAnyKind(boolean starts) {
        Seeds.forEach(600, random -> {
            int n = 1 + random.nextInt(40);
            long[] t = Samples.times(random, n);
            CounterResetHint hint = random.nextBoolean() ? CounterResetHint.GAUGE : CounterResetHint.UNKNOWN;
            ChunkAppender appender = appender(starts, 1 + random.nextInt(30));
            List<Histogram> written = new ArrayList<>();
            List<Span> p = Samples.spans(random);
            List<Span> m = Samples.spans(random);
            for (int i = 0; i < n; i++) {
                if (random.nextInt(10) == 0) {
                    p = Samples.spans(random);
                }
                Histogram h = Samples.histogram(random, p, m, hint);
                written.add(h);
                appender.append(t[i] - 3, t[i], h);
            }
            appender.cut();
            int i = 0;
            for (Chunk c : chunks) {
                SampleCursor cursor = ChunkDecoder.cursor(moved(c, random));
                assertThat(c.minTime()).isEqualTo(t[i]);
                while (cursor.next() != SampleCursor.Kind.END) {
                    assertThat(cursor.timestamp()).isEqualTo(t[i]);
                    assertThat(cursor.startTimestamp()).isEqualTo(starts ? t[i] - 3 : 0);
                    Histograms.assertSameContent(cursor.floatHistogram(), written.get(i).toFloat());
                    Histograms.assertSameContent(cursor.histogram().toFloat(), written.get(i).toFloat());
                    assertThat(cursor.histogram().count()).isEqualTo(written.get(i).isStale() ? 0 : written.get(i).count());
                    assertThat(cursor.histogram().zeroCount()).isEqualTo(written.get(i).isStale() ? 0 : written.get(i).zeroCount());
                    i++;
                }
            }
            assertThat(i).isEqualTo(n);
        });
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void floatHistogramsOfAnyKind(boolean starts) {
        Seeds.forEach(600, random -> {
            int n = 1 + random.nextInt(40);
            long[] t = Samples.times(random, n);
            CounterResetHint hint = random.nextBoolean() ? CounterResetHint.GAUGE : CounterResetHint.UNKNOWN;
            ChunkAppender appender = appender(starts, 1 + random.nextInt(30));
            List<FloatHistogram> written = new ArrayList<>();
            List<Span> p = Samples.spans(random);
            List<Span> m = Samples.spans(random);
            for (int i = 0; i < n; i++) {
                if (random.nextInt(10) == 0) {
                    m = Samples.spans(random);
                }
                FloatHistogram h = Samples.floatHistogram(random, p, m, hint);
                written.add(h);
                appender.append(t[i] - 3, t[i], h);
            }
            appender.cut();
            SampleBuffer b = new SampleBuffer(0);
            for (Chunk c : chunks) {
                ChunkDecoder.decode(moved(c, random), b);
            }
            assertThat(b.size).isEqualTo(n);
            for (int i = 0; i < n; i++) {
                assertThat(b.timestamps[i]).isEqualTo(t[i]);
                assertThat(b.startTimestampArray()[i]).isEqualTo(starts ? t[i] - 3 : 0);
                Histograms.assertSameContent(Objects.requireNonNull(b.histogram(i)), written.get(i));
            }
        });
    }

    @Test
    void rangesGiveWhatLiesInThem() {
        Seeds.forEach(500, random -> {
            int kind = random.nextInt(3);
            ChunkAppender appender = appender(random.nextBoolean(), 1000);
            int n = 1 + random.nextInt(50);
            long t = 1000;
            List<Span> spans = Samples.spans(random);
            for (int i = 0; i < n; i++) {
                t += 1 + random.nextInt(20);
                switch (kind) {
                    case 0 -> appender.append(t - 1, t, i);
                    case 1 -> appender.append(t - 1, t, Samples.histogram(random, spans, spans, CounterResetHint.GAUGE));
                    default -> appender.append(t - 1, t, Samples.floatHistogram(random, spans, spans, CounterResetHint.GAUGE));
                }
            }
            appender.cut();
            for (Chunk c : chunks) {
                SampleBuffer all = new SampleBuffer(0);
                ChunkDecoder.decode(c, all);
                long from = 990 + random.nextInt(600);
                long to = from + random.nextInt(400);
                SampleBuffer some = new SampleBuffer(0);
                some.add(7, 7);
                int got = ChunkDecoder.decode(c, from, to, some);
                int at = 1;
                for (int i = 0; i < all.size; i++) {
                    if (all.timestamps[i] >= from && all.timestamps[i] <= to) {
                        assertThat(some.timestamps[at]).isEqualTo(all.timestamps[i]);
                        assertThat(some.values[at]).isEqualTo(all.values[i]);
                        assertThat(some.histogram(at) == null).isEqualTo(all.histogram(i) == null);
                        assertThat(some.startTimestamps == null ? 0 : some.startTimestamps[at])
                                .isEqualTo(all.startTimestamps == null ? 0 : all.startTimestamps[i]);
                        at++;
                    }
                }
                assertThat(got).isEqualTo(at - 1);
                assertThat(some.size).isEqualTo(at);
                SampleCursor cursor = ChunkDecoder.cursor(c);
                SampleCursor.Kind found = cursor.seek(from);
                int first = 0;
                while (first < all.size && all.timestamps[first] < from) {
                    first++;
                }
                assertThat(found == SampleCursor.Kind.END).isEqualTo(first == all.size);
                if (first < all.size) {
                    assertThat(cursor.timestamp()).isEqualTo(all.timestamps[first]);
                    assertThat(cursor.seek(from - 1)).as("stays").isEqualTo(found);
                    assertThat(cursor.timestamp()).isEqualTo(all.timestamps[first]);
                }
            }
        });
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void asManySamplesAsTheFormatHolds(boolean starts) {
        ChunkAppender appender = appender(starts, Integer.MAX_VALUE);
        for (int i = 0; i < 65_536; i++) {
            appender.append(i / 1000, i * 15_000L, i % 7);
        }
        appender.cut();
        assertThat(chunks).extracting(ChunkDecoder::sampleCount).containsExactly(65_535, 1);
        SampleBuffer b = new SampleBuffer(0);
        chunks.forEach(c -> ChunkDecoder.decode(c, b));
        assertThat(b.size).isEqualTo(65_536);
        for (int i = 0; i < b.size; i++) {
            assertThat(b.timestamps[i]).isEqualTo(i * 15_000L);
            assertThat(b.values[i]).isEqualTo(i % 7);
            assertThat(b.startTimestamps == null ? 0 : b.startTimestamps[i]).isEqualTo(starts ? i / 1000 : 0);
        }
        chunks.clear();
        FloatHistogram h = new FloatHistogram(CounterResetHint.UNKNOWN, 0, 0, 0, 3, 1, List.of(new Span(0, 1)), new double[]{3}, List.of(),
                FloatHistogram.NO_BUCKETS, FloatHistogram.NO_BUCKETS);
        for (int i = 0; i < 65_536; i++) {
            appender.append(0, i * 15_000L, h);
        }
        appender.cut();
        assertThat(chunks).extracting(ChunkDecoder::sampleCount).startsWith(starts ? 16_383 : 65_535).endsWith(starts ? 4 : 1);
        SampleBuffer hb = new SampleBuffer(0);
        chunks.forEach(c -> ChunkDecoder.decode(c, hb));
        assertThat(hb.size).isEqualTo(65_536);
    }

    @Test
    void emptyHistogramsAndHistogramsWithoutBuckets() {
        ChunkAppender appender = appender(false, 120);
        Histogram empty = new Histogram(CounterResetHint.UNKNOWN, 0, 0, 0, 0, 0, List.of(), new long[0], List.of(), new long[0],
                FloatHistogram.NO_BUCKETS);
        for (int i = 0; i < 3; i++) {
            appender.append(0, i, empty);
        }
        appender.append(0, 9, new Histogram(CounterResetHint.UNKNOWN, 0, 0, 0, 4, 9, List.of(new Span(2, 1)), new long[]{4}, List.of(),
                new long[0], FloatHistogram.NO_BUCKETS));
        appender.cut();
        assertThat(chunks).hasSize(1);
        SampleBuffer b = new SampleBuffer(0);
        assertThat(ChunkDecoder.decode(chunks.getFirst(), b)).isEqualTo(4);
        assertThat(Objects.requireNonNull(b.histogram(0)).positiveBuckets()).as("encoded again with the new bucket").containsExactly(0);
        assertThat(Objects.requireNonNull(b.histogram(3)).positiveBuckets()).containsExactly(4);
    }

    @Test
    void chunksEndWhereTheKindChangesAndAtTheWantedNumber() {
        ChunkAppender appender = appender(false, ChunkAppender.USUAL_SAMPLES);
        for (int i = 0; i < 250; i++) {
            appender.append(i, i);
        }
        appender.append(0, 250, FloatHistogram.STALE);
        appender.append(251, 1);
        appender.cut();
        appender.cut();
        assertThat(chunks).extracting(ChunkDecoder::sampleCount).containsExactly(120, 120, 10, 1, 1);
        assertThat(chunks).extracting(Chunk::encoding).containsExactly(Encoding.XOR, Encoding.XOR, Encoding.XOR, Encoding.FLOAT_HISTOGRAM,
                Encoding.XOR);
        assertThat(chunks.get(1).minTime()).isEqualTo(120);
        assertThat(chunks.get(1).maxTime()).isEqualTo(239);
    }

    @Test
    void histogramsWhoseSpansAndBucketsDifferAreRefused() {
        ChunkAppender appender = appender(false, 120);
        assertThatThrownBy(() -> appender.append(0, 1, new Histogram(CounterResetHint.UNKNOWN, 0, 0, 0, 0, 0, List.of(new Span(0, 2)),
                new long[]{1}, List.of(), new long[0], FloatHistogram.NO_BUCKETS))).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("2 and 0");
    }

    @Test
    void aggregatesKeepWhatIsAbsentAbsent() {
        Chunk some = Chunk.of(1, 2, Encoding.XOR, new byte[]{0, 0});
        for (int mask = 0; mask < 32; mask++) {
            AggregateChunk a = AggregateChunk.of((mask & 1) == 0 ? null : some, (mask & 2) == 0 ? null : some,
                    (mask & 4) == 0 ? null : some, (mask & 8) == 0 ? null : some, (mask & 16) == 0 ? null : some);
            Chunk whole = a.toChunk(1, 2);
            AggregateChunk b = AggregateChunk.parse(whole);
            for (AggregateChunk.Part part : AggregateChunk.Part.values()) {
                Chunk c = b.part(part);
                assertThat(c != null).isEqualTo((mask >> part.ordinal() & 1) != 0);
                assertThat(c == null || c.sameContent(some)).isTrue();
            }
            assertThat(b.encode()).isEqualTo(whole.data());
            assertThat(Arrays.equals(whole.copyData(), whole.data())).isTrue();
        }
        assertThatThrownBy(() -> AggregateChunk.of(Chunk.of(0, 0, Encoding.XOR, new byte[0]), null, null, null, null))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
