package io.varve.chunk;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.chunk.AggregateChunk.Part;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleBuffer;
import io.varve.model.SampleCursor;
import io.varve.model.Span;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Rules of the format at their edges: thresholds, bounds, hints, stale markers, start times, absent aggregates. */
class LayoutEdgesTest {
    private final List<Chunk> chunks = new ArrayList<>();

    private static Histogram histogram(CounterResetHint hint, double threshold, int schema, double[] bounds, long count) {
        return new Histogram(hint, schema, threshold, 0, count, count * 0.5, List.of(new Span(0, 1)), new long[]{count}, List.of(),
                new long[0], bounds);
    }

    private Chunk one(Histogram... samples) {
        chunks.clear();
        ChunkAppender appender = ChunkAppender.plain(Integer.MAX_VALUE, chunks::add);
        for (int i = 0; i < samples.length; i++) {
            appender.append(0, i * 1000L, samples[i]);
        }
        appender.cut();
        assertThat(chunks).hasSize(1);
        return chunks.getFirst();
    }

    private static SampleBuffer read(Chunk c) {
        SampleBuffer b = new SampleBuffer(4);
        ChunkDecoder.decode(c, b);
        return b;
    }

    /** Powers of two from 2^-243 to 2^10 have a byte of their own, 0 is byte 0, all else byte 255 and eight more. */
    @ParameterizedTest
    @CsvSource({"0.0, 0", "7.0747e-74, 255", "1.0, 244", "0.5, 243", "1024.0, 254", "2048.0, 255", "0.001, 255", "-1.0, 255", "NaN, 255",
            "0x1.0p-243, 1", "0x1.0p-244, 255", "2.938735877055719e-39, 116"})
    void zeroThresholds(String threshold, int firstByte) {
        double z = Double.parseDouble(threshold);
        Chunk c = one(histogram(CounterResetHint.UNKNOWN, z, 1, FloatHistogram.NO_BUCKETS, 3));
        assertThat(c.data()[c.offset() + 3] & 0xFF).isEqualTo(firstByte);
        FloatHistogram h = read(c).histogram(0);
        assertThat(h).isNotNull();
        assertThat(Double.doubleToLongBits(h.zeroThreshold())).isEqualTo(Double.doubleToLongBits(z));
    }

    /** Whole thousandths up to 33,554,430 are written short, others as they are; both come back to the bit. */
    @Test
    void customBounds() {
        double[] bounds = {-5, -0.001, 0.0, 0.001, 0.0015, 0.3, 1.001, 2.5, 33_554.43, 33_554.431, 1e300, Double.POSITIVE_INFINITY};
        FloatHistogram h = read(one(histogram(CounterResetHint.UNKNOWN, 0, FloatHistogram.CUSTOM_BUCKETS_SCHEMA, bounds, 3))).histogram(0);
        assertThat(h).isNotNull();
        assertThat(h.usesCustomBuckets()).isTrue();
        assertThat(h.customValues()).containsExactly(bounds);
    }

    /** The header says what was before the chunk; a reader believes it of gauges only, and of the samples behind the first. */
    @ParameterizedTest
    @EnumSource(CounterResetHint.class)
    void hints(CounterResetHint header) {
        Chunk c = one(histogram(header == CounterResetHint.GAUGE ? header : CounterResetHint.UNKNOWN, 0, 1, FloatHistogram.NO_BUCKETS, 3),
                histogram(header == CounterResetHint.GAUGE ? header : CounterResetHint.UNKNOWN, 0, 1, FloatHistogram.NO_BUCKETS, 5));
        byte[] data = c.copyData();
        data[2] = (byte) (ChunkDecoder.counterResetBits(header) << 6);
        SampleBuffer b = read(Chunk.of(c.minTime(), c.maxTime(), c.encoding(), data));
        boolean gauge = header == CounterResetHint.GAUGE;
        assertThat(b.histogram(0)).isNotNull().extracting(FloatHistogram::hint)
                .isEqualTo(gauge ? CounterResetHint.GAUGE : CounterResetHint.UNKNOWN);
        assertThat(b.histogram(1)).isNotNull().extracting(FloatHistogram::hint)
                .isEqualTo(gauge ? CounterResetHint.GAUGE : CounterResetHint.NOT_RESET);
        assertThat(ChunkDecoder.counterReset(Chunk.of(0, 0, c.encoding(), data))).isEqualTo(header);
    }

    /** A stale marker reads as an empty histogram of nothing, also behind samples with buckets and in gauges. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void staleHistograms(boolean gauge) {
        CounterResetHint hint = gauge ? CounterResetHint.GAUGE : CounterResetHint.UNKNOWN;
        Histogram stale = new Histogram(hint, 1, 0, 0, 0, SampleBuffer.STALE_NAN, List.of(), new long[0], List.of(), new long[0],
                FloatHistogram.NO_BUCKETS);
        for (Chunk c : List.of(one(histogram(hint, 0.5, 1, FloatHistogram.NO_BUCKETS, 3), stale, stale), one(stale))) {
            SampleBuffer b = read(c);
            FloatHistogram h = b.histogram(b.size - 1);
            assertThat(h).isNotNull();
            assertThat(h.isStale()).isTrue();
            assertThat(h.hint()).isEqualTo(CounterResetHint.UNKNOWN);
            assertThat(h.schema()).isZero();
            assertThat(h.positiveSpans()).isEmpty();
            assertThat(h.zeroThreshold()).isZero();
        }
    }

    /** Start times may be known from the first sample, appear later, change, and appear behind the index that seven bits can say. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 126, 127, 128, 150, 1000})
    void startTimesThatAppearLate(int first) {
        chunks.clear();
        ChunkAppender appender = ChunkAppender.withStartTimestamps(Integer.MAX_VALUE, chunks::add);
        int n = 200;
        for (int i = 0; i < n; i++) {
            appender.append(i >= first ? 500 + i / 10 : 0, 1000L * i + 1000, i);
        }
        appender.cut();
        SampleBuffer b = read(chunks.getFirst());
        assertThat(b.size).isEqualTo(n);
        for (int i = 0; i < n; i++) {
            assertThat(b.startTimestampArray()[i]).as("sample " + i).isEqualTo(i >= first ? 500 + i / 10 : 0);
        }
        // Readers of floats alone need not see them.
        SampleCursor cursor = ChunkDecoder.cursor(chunks.getFirst());
        assertThat(cursor.seek(150_000)).isEqualTo(SampleCursor.Kind.FLOAT);
        assertThat(cursor.value()).isEqualTo(149);
    }

    /** Any of the five aggregates may be missing. */
    @Test
    void everySubsetOfAggregates() {
        chunks.clear();
        ChunkAppender appender = ChunkAppender.plain(3, chunks::add);
        for (int i = 0; i < 15; i++) {
            appender.append(i, i);
        }
        appender.cut();
        for (int mask = 0; mask < 32; mask++) {
            Chunk[] parts = new Chunk[5];
            for (int k = 0; k < 5; k++) {
                if ((mask & 1 << k) != 0) {
                    parts[k] = chunks.get(k);
                }
            }
            Chunk all = AggregateChunk.of(parts[0], parts[1], parts[2], parts[3], parts[4]).toChunk(1, 2);
            AggregateChunk back = AggregateChunk.parse(all);
            for (Part part : Part.values()) {
                Chunk got = back.part(part);
                Chunk want = parts[part.ordinal()];
                assertThat(got == null).as(part + " of " + mask).isEqualTo(want == null);
                if (got != null && want != null) {
                    assertThat(got.copyData()).isEqualTo(want.copyData());
                }
            }
            assertThat(ChunkDecoder.sampleCount(all)).isEqualTo(parts[0] == null ? 0 : 3);
            assertThat(Arrays.equals(back.encode(), all.copyData())).isTrue();
        }
    }
}
