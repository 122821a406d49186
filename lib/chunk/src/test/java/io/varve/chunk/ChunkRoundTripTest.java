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

    /** All chunks decoded one after the other: so many samples. */
    private SampleBuffer decoded(RandomGenerator random, int n) {
        SampleBuffer b = new SampleBuffer(0);
        for (Chunk c : chunks) {
            ChunkDecoder.decode(moved(c, random), b);
        }
        assertThat(b.size).isEqualTo(n);
        return b;
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

    /** One by one, from arrays or from a buffer, in any turns and asked for its size between them: always the plain encoder's bytes, cut at the same places. */
    @Test
    void floatsBecomeTheSameChunksHoweverTheyCome() {
        Seeds.forEach(2000, random -> {
            int n = 1 + random.nextInt(random.nextInt(4) == 0 ? 700 : 20);
            int limit = random.nextInt(3) == 0 ? 1 + random.nextInt(300) : ChunkAppender.USUAL_SAMPLES;
            long[] t = Samples.times(random, n);
            double[] v = new double[n];
            boolean plainDoubles = random.nextBoolean();
            for (int i = 0; i < n; i++) {
                v[i] = plainDoubles ? random.nextDouble() * 100 : Samples.value(random, i == 0 ? 42 : v[i - 1]);
            }
            List<byte[]> expected = new ArrayList<>();
            for (int from = 0; from < n; from += limit) {
                PlainXorEncoder plain = new PlainXorEncoder();
                for (int i = from; i < Math.min(n, from + limit); i++) {
                    plain.append(t[i], v[i]);
                }
                expected.add(plain.toBytes());
            }
            ChunkAppender appender = appender(false, limit);
            for (int i = 0; i < n;) {
                int end = Math.min(n, i + 1 + random.nextInt(random.nextInt(5) == 0 ? 200 : 5));
                switch (random.nextInt(3)) {
                    case 0 -> appender.append(t, v, i, end);
                    case 1 -> {
                        SampleBuffer b = new SampleBuffer(0);
                        for (int k = i; k < end; k++) {
                            b.add(t[k], v[k]);
                        }
                        appender.append(b);
                    }
                    default -> {
                        for (int k = i; k < end; k++) {
                            appender.append(t[k], v[k]);
                        }
                    }
                }
                i = end;
                if (random.nextInt(4) == 0) {
                    assertThat(appender.sampleCount()).isEqualTo((i - 1) % limit + 1);
                    assertThat(appender.sizeBytes()).isPositive();
                }
            }
            appender.cut();
            assertThat(chunks).hasSameSizeAs(expected);
            for (int c = 0; c < expected.size(); c++) {
                Chunk chunk = chunks.get(c);
                assertThat(Arrays.copyOfRange(chunk.data(), chunk.offset(), chunk.offset() + chunk.length())).isEqualTo(expected.get(c));
                assertThat(chunk.minTime()).isEqualTo(t[c * limit]);
                assertThat(chunk.maxTime()).isEqualTo(t[Math.min(n, (c + 1) * limit) - 1]);
            }
        });
    }

    /** Histograms between floats end a chunk of floats where they come, however few those are. */
    @Test
    void buffersOfFloatsAndHistogramsAreCutWhereTheKindChanges() {
        SampleBuffer b = new SampleBuffer(0);
        List<Encoding> expected = new ArrayList<>();
        Seeds.forEach(1, random -> {
            long t = 0;
            for (int run = 0; run < 20; run++) {
                expected.add(run % 2 == 0 ? Encoding.XOR : Encoding.FLOAT_HISTOGRAM);
                for (int i = random.nextInt(1, 120); i > 0; i--) {
                    if (run % 2 == 0) {
                        b.add(t += 1000, i);
                    } else {
                        b.add(t += 1000,
                                new FloatHistogram(CounterResetHint.GAUGE, 0, 0, 0, i, i, List.of(), FloatHistogram.NO_BUCKETS, List.of(),
                                        FloatHistogram.NO_BUCKETS, FloatHistogram.NO_BUCKETS));
                    }
                }
            }
        });
        ChunkAppender appender = appender(false, ChunkAppender.USUAL_SAMPLES);
        appender.append(b);
        appender.cut();
        assertThat(chunks).extracting(Chunk::encoding).isEqualTo(expected);
        SampleBuffer read = new SampleBuffer(0);
        chunks.forEach(c -> ChunkDecoder.decode(c, read));
        assertThat(Arrays.copyOf(read.timestamps, read.size)).isEqualTo(Arrays.copyOf(b.timestamps, b.size));
    }

    private void roundTrip(boolean starts, long[] t, long[] st, long[] bits) {
        ChunkAppender appender = appender(starts, 120);
        for (int i = 0; i < t.length; i++) {
            appender.append(st[i], t[i], Double.longBitsToDouble(bits[i]));
        }
        appender.cut();
        SampleBuffer b = new SampleBuffer(t.length);
        chunks.forEach(c -> ChunkDecoder.decode(c, b));
        assertThat(b.size).isEqualTo(t.length);
        for (int i = 0; i < t.length; i++) {
            assertThat(b.timestamps[i]).as("time %s", i).isEqualTo(t[i]);
            assertThat(Double.doubleToRawLongBits(b.values[i])).as("value %s", i).isEqualTo(bits[i]);
            assertThat(b.startTimestampArray()[i]).as("start %s", i).isEqualTo(starts ? st[i] : 0);
        }
    }

    /** Every place and width that a window of changed bits can have, each after each neighbour, so that windows are kept and changed. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void everyWindowOfChangedBits(boolean starts) {
        List<Long> changes = new ArrayList<>();
        for (int width = 1; width <= 64; width++) {
            for (int shift = 0; shift + width <= 64; shift++) {
                changes.add((1L << width - 1 | 1) << shift);
                // And one that fits into the window before.
                changes.add(1L << shift + width / 2);
            }
        }
        int n = changes.size() + 1;
        long[] t = new long[n];
        long[] bits = new long[n];
        for (int i = 1; i < n; i++) {
            t[i] = i * 15_000L;
            bits[i] = bits[i - 1] ^ changes.get(i - 1);
        }
        roundTrip(starts, t, t, bits);
    }

    /** Stale and other NaNs, quiet and signalling, with every single bit of the payload, of both signs, beside numbers. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void everyBitOfANanIsKept(boolean starts) {
        long[] bits = new long[53 * 4];
        long[] t = new long[bits.length];
        for (int i = 0; i < 53; i++) {
            long nan = 0x7FF0_0000_0000_0000L | (i == 52 ? 2 : 1L << i);
            bits[4 * i] = nan;
            bits[4 * i + 1] = nan | Long.MIN_VALUE;
            bits[4 * i + 2] = nan;
            bits[4 * i + 3] = Double.doubleToRawLongBits(i);
        }
        for (int i = 0; i < t.length; i++) {
            t[i] = i * 1000L;
        }
        roundTrip(starts, t, t, bits);
    }

    /** Differences of time, and of start times, around every power of two, forwards and back. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void everyWidthOfADifferenceOfTimes(boolean starts) {
        for (long base : new long[]{0, -1L << 61}) {
            List<Long> deltas = new ArrayList<>();
            for (int power = 0; power <= 50; power++) {
                for (int off = -1; off <= 1; off++) {
                    deltas.add(1L << 51);
                    deltas.add((1L << 51) + (1L << power) + off);
                    deltas.add(1L << 51);
                    deltas.add((1L << 51) - (1L << power) - off);
                }
            }
            deltas.addAll(List.of(1L << 59, 1L << 52, 1L, 1L << 58));
            int n = deltas.size() + 1;
            long[] t = new long[n];
            long[] st = new long[n];
            long[] bits = new long[n];
            t[0] = base;
            st[0] = base - 1;
            for (int i = 1; i < n; i++) {
                t[i] = t[i - 1] + deltas.get(i - 1);
                st[i] = t[i] - (deltas.get(i - 1) - (1L << 51));
                bits[i] = i % 2;
            }
            roundTrip(starts, t, st, bits);
        }
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
            SampleBuffer b = decoded(random, n);
            for (int i = 0; i < n; i++) {
                assertThat(b.timestamps[i]).isEqualTo(t[i]);
                assertThat(b.startTimestampArray()[i]).isEqualTo(starts ? t[i] - 3 : 0);
                Histograms.assertSameContent(Objects.requireNonNull(b.histogram(i)), written.get(i));
            }
        });
    }

    /** From chunks where no bucket changes to such where most do: the readers' ways meet in between. */
    @Test
    void floatHistogramsWhoseBucketsMostlyRepeat() {
        Seeds.forEach(400, random -> {
            int size = 1 + random.nextInt(150);
            int n = 1 + random.nextInt(60);
            int oneIn = 1 << random.nextInt(10);
            ChunkAppender appender = appender(false, 60);
            List<FloatHistogram> written = new ArrayList<>();
            double[] buckets = new double[size];
            for (int i = 0; i < n; i++) {
                for (int b = 0; b < size; b++) {
                    if (random.nextInt(oneIn) == 0) {
                        buckets[b] = switch (random.nextInt(4)) {
                            case 0 -> Double.longBitsToDouble(random.nextLong() >>> 1);
                            case 1 -> random.nextDouble();
                            default -> buckets[b] + random.nextInt(20);
                        };
                    }
                }
                FloatHistogram h = i % 20 == 19
                        ? FloatHistogram.STALE
                        : new FloatHistogram(CounterResetHint.GAUGE, 3, 0.001, i, i, i * 0.3, List.of(new Span(-5, size)), buckets.clone(),
                                List.of(), FloatHistogram.NO_BUCKETS, FloatHistogram.NO_BUCKETS);
                written.add(h);
                appender.append(0, i * 15_000L, h);
            }
            appender.cut();
            SampleBuffer b = decoded(random, n);
            for (int i = 0; i < n; i++) {
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
