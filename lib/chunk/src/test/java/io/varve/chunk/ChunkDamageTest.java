package io.varve.chunk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.management.ThreadMXBean;
import io.varve.model.CorruptDataException;
import io.varve.model.CounterResetHint;
import io.varve.model.SampleBuffer;
import io.varve.model.SampleCursor;
import io.varve.model.Span;
import io.varve.testkit.Seeds;
import io.varve.testkit.Shared;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Any bytes give samples or a CorruptDataException, with memory in proportion to the bytes. */
class ChunkDamageTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /** Reads a chunk in all ways; whether it is readable. */
    private static boolean readable(Encoding encoding, byte[] data, int length) {
        long before = THREADS.getCurrentThreadAllocatedBytes();
        boolean ok = false;
        Chunk chunk = new Chunk(0, 0, encoding, data, 0, length);
        try {
            if (encoding == Encoding.AGGREGATE) {
                AggregateChunk a = AggregateChunk.parse(chunk);
                assertThat(a.encode()).hasSizeLessThanOrEqualTo(length);
                for (AggregateChunk.Part part : AggregateChunk.Part.values()) {
                    Chunk c = a.part(part);
                    if (c != null) {
                        ChunkDecoder.decode(c, new SampleBuffer(0));
                    }
                }
                ChunkDecoder.sampleCount(chunk);
            } else {
                SampleBuffer buffer = new SampleBuffer(0);
                buffer.add(1, 2);
                try {
                    int n = ChunkDecoder.decode(chunk, buffer);
                    assertThat(n).isEqualTo(ChunkDecoder.sampleCount(chunk)).isEqualTo(buffer.size - 1);
                } catch (CorruptDataException e) {
                    assertThat(buffer.size).as("unchanged").isEqualTo(1);
                    throw e;
                }
                ChunkDecoder.counterReset(chunk);
                SampleCursor cursor = ChunkDecoder.cursor(chunk);
                while (cursor.next() != SampleCursor.Kind.END) {
                    cursor.timestamp();
                }
            }
            ok = true;
        } catch (CorruptDataException e) {
            assertThat(e.offset()).as(e.getMessage()).isBetween(0L, (long) length);
        }
        // A bit may stand for a number of eight bytes, read twice here, in arrays that grow by halves; the first call loads classes.
        long allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
        if (allocated >= 16_000_000L + 2_500L * length) {
            fail(encoding + " of " + length + " bytes: " + allocated + " bytes allocated");
        }
        return ok;
    }

    private static List<Chunk> chunks(RandomGenerator random) {
        List<Chunk> out = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            ChunkAppender appender = i == 0 ? ChunkAppender.plain(15, out::add) : ChunkAppender.withStartTimestamps(15, out::add);
            List<Span> spans = Samples.spans(random);
            long[] t = Samples.times(random, 15);
            for (int kind = 0; kind < 3; kind++) {
                for (int k = 0; k < t.length; k++) {
                    switch (kind) {
                        case 0 -> appender.append(t[k] - k / 3, t[k], Samples.value(random, k));
                        case 1 -> appender.append(t[k] - k / 3, t[k], Samples.histogram(random, spans, spans, CounterResetHint.GAUGE));
                        default ->
                            appender.append(t[k] - k / 3, t[k], Samples.floatHistogram(random, spans, spans, CounterResetHint.GAUGE));
                    }
                }
            }
            appender.cut();
        }
        Chunk xor = out.getFirst();
        out.add(AggregateChunk.of(xor, xor, null, xor, out.get(2)).toChunk(0, 0));
        return out;
    }

    @Test
    void everyByteChanged() {
        Seeds.forEach(4, random -> {
            for (Chunk c : chunks(random)) {
                byte[] data = c.copyData();
                for (int i = 0; i < data.length; i++) {
                    byte original = data[i];
                    for (int flip : new int[]{0x01, 0x80, 0xFF, 1 + random.nextInt(255)}) {
                        data[i] = (byte) (original ^ flip);
                        readable(c.encoding(), data, data.length);
                    }
                    data[i] = original;
                }
                assertThat(readable(c.encoding(), data, data.length)).isTrue();
            }
        });
    }

    /**
     * Every byte of most chunks, and some bytes of those where that would take long: it is as much work as bytes times samples. Every byte of
     * those too with {@code -Dvarve.damage.every=true}, which takes minutes.
     */
    @ParameterizedTest
    @ValueSource(strings = {"xor", "xor2", "histogram", "floathistogram", "histogram-st", "floathistogram-st"})
    void bytesOfGoldenChunksChanged(String name) {
        Path file = Shared.golden("chunks/" + name + ".jsonl.gz").orElse(null);
        assumeTrue(file != null);
        boolean every = Boolean.getBoolean("varve.damage.every");
        int[] n = {0};
        try (Stream<JsonNode> lines = Shared.jsonLines(file)) {
            lines.flatMap(line -> line.has("chunks") ? line.get("chunks").valueStream() : Stream.of(line)).forEach(chunk -> {
                byte[] data = Shared.hex(chunk.get("data").textValue());
                Encoding encoding = Encoding.ofCode(chunk.get("encoding").intValue());
                assertThat(readable(encoding, data, data.length)).isTrue();
                long work = (long) data.length * chunk.get("num_samples").intValue();
                int step = every ? 1 : 1 + (int) (work / 100_000);
                for (int i = n[0]++ % step; i < data.length; i += step) {
                    byte original = data[i];
                    data[i] ^= (byte) (1 + (i * 31 + n[0]) % 255);
                    readable(encoding, data, data.length);
                    data[i] = original;
                }
            });
        }
    }

    @Test
    void cutAtEveryLength() {
        Seeds.forEach(10, random -> {
            for (Chunk c : chunks(random)) {
                for (int n = 0; n < c.length(); n++) {
                    assertThat(readable(c.encoding(), Arrays.copyOf(c.data(), n), n)).as("%s cut to %d of %d", c.encoding(), n, c.length())
                            .isFalse();
                    // The missing bytes still in the array must not be believed.
                    assertThat(readable(c.encoding(), c.data(), n)).as("%s seen to %d of %d", c.encoding(), n, c.length()).isFalse();
                }
            }
        });
    }

    @Test
    void anyBytesForABoundedTime() {
        Encoding[] encodings = Encoding.values();
        Seeds.forMillis(Long.getLong("varve.fuzz.millis", 3000), random -> {
            Encoding encoding = encodings[random.nextInt(encodings.length)];
            byte[] data = new byte[random.nextInt(random.nextInt(20) == 0 ? 5000 : 80)];
            random.nextBytes(data);
            if (data.length > 4 && random.nextBoolean()) {
                // Few samples and many zeros come further than noise.
                data[0] = 0;
                for (int i = random.nextInt(data.length); i > 0; i--) {
                    data[random.nextInt(data.length)] = (byte) (random.nextInt(3) == 0 ? 0xFF : 0);
                }
            }
            readable(encoding, data, data.length);
        });
    }

    @Test
    void countsThatTheBytesCannotHoldAllocateNothing() {
        for (Encoding encoding : List.of(Encoding.XOR, Encoding.XOR2, Encoding.HISTOGRAM, Encoding.FLOAT_HISTOGRAM)) {
            assertThat(readable(encoding, new byte[]{(byte) 0xFF, (byte) 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12)).isFalse();
        }
        // A layout of 2^31 buckets, then of 2^40 spans.
        BitWriter buckets = new BitWriter(3, new byte[64]);
        buckets.bits(0, 8);
        buckets.varbitInt(1);
        buckets.varbitUint(1);
        buckets.varbitUint(Integer.MAX_VALUE);
        buckets.varbitInt(0);
        BitWriter spans = new BitWriter(3, new byte[64]);
        spans.bits(0, 8);
        spans.varbitInt(1);
        spans.varbitUint(1L << 40);
        BitWriter bounds = new BitWriter(3, new byte[64]);
        bounds.bits(0, 8);
        bounds.varbitInt(-53);
        bounds.varbitUint(0);
        bounds.varbitUint(0);
        bounds.varbitUint(1L << 30);
        for (BitWriter w : List.of(buckets, spans, bounds)) {
            byte[] data = Arrays.copyOf(w.toBytes(), 200);
            data[1] = 1;
            long before = THREADS.getCurrentThreadAllocatedBytes();
            assertThat(readable(Encoding.HISTOGRAM, data, data.length)).isFalse();
            assertThat(readable(Encoding.FLOAT_HISTOGRAM, data, data.length)).isFalse();
            assertThat(THREADS.getCurrentThreadAllocatedBytes() - before).isLessThan(1_000_000);
        }
    }

    /** XOR bit by bit, as the format says: what the fast loop has to agree with on any bytes. */
    private static String naive(byte[] data) {
        BitReader in = new BitReader(data, 0, data.length);
        StringBuilder out = new StringBuilder();
        int n = ChunkDecoder.header(Encoding.XOR, data, 0, data.length);
        in.pos = 16;
        long t = 0;
        long delta = 0;
        long v = 0;
        byte[] window = new byte[2];
        for (int i = 0; i < n; i++) {
            if (i == 0) {
                t = in.varint();
                v = in.bits(64);
            } else {
                if (i == 1) {
                    delta = in.uvarint();
                } else if (in.bits(1) != 0) {
                    delta += in.bits(1) == 0
                            ? in.ranged(14)
                            : in.bits(1) == 0 ? in.ranged(17) : in.bits(1) == 0 ? in.ranged(20) : in.bits(64);
                }
                t += delta;
                v = in.xor(v, window, 0);
            }
            in.check();
            out.append(t).append(' ').append(v).append('\n');
        }
        return out.toString();
    }

    @Test
    void theFastLoopAgreesWithTheSlowOneOnAnyBytes() {
        Seeds.forEach(30_000, random -> {
            byte[] data = new byte[12 + random.nextInt(80)];
            random.nextBytes(data);
            if (random.nextBoolean()) {
                for (int i = 0; i < data.length; i++) {
                    data[i] &= (byte) random.nextInt(256);
                }
            }
            data[0] = 0;
            data[1] = (byte) random.nextInt(8);
            SampleBuffer b = new SampleBuffer(0);
            byte[] roomy = random.nextBoolean() ? data : Arrays.copyOf(data, data.length + 8);
            assertThat(decoded(() -> ChunkDecoder.decode(Encoding.XOR, roomy, 0, data.length, b), b)).isEqualTo(slow(data));
        });
    }

    /** Chunks with less than a byte for a sample, which have a loop of their own, whole and with bits changed, and parts of their range. */
    @Test
    void runsOfEqualSamplesAgreeWithTheSlowLoopOnAnyBytes() {
        Seeds.forEach(20_000, random -> {
            int samples = 20 + random.nextInt(200);
            List<Chunk> chunks = new ArrayList<>();
            ChunkAppender appender = ChunkAppender.plain(samples, chunks::add);
            long t = random.nextInt(20) == 0 ? Long.MAX_VALUE - random.nextInt(3_000_000) : 1_700_000_000_000L;
            long step = random.nextInt(10) == 0 ? -15_000 : 15_000;
            double v = random.nextInt(1000);
            int run = 1 + random.nextInt(40);
            for (int i = 0; i < samples; i++) {
                v = random.nextInt(run) > 0 ? v : random.nextInt(8) > 0 ? v + random.nextInt(20) : Samples.value(random, v);
                t += random.nextInt(4 * run) > 0 ? step : Samples.edge(random);
                appender.append(t, v);
            }
            appender.cut();
            Chunk chunk = chunks.getFirst();
            int before = random.nextInt(9);
            byte[] payload = Arrays.copyOfRange(chunk.data(), chunk.offset(), chunk.offset() + chunk.length());
            if (random.nextBoolean()) {
                for (int i = 1 + random.nextInt(2); i > 0; i--) {
                    int bit = 16 + random.nextInt(payload.length * 8 - 16);
                    payload[bit >>> 3] ^= (byte) (0x80 >>> (bit & 7));
                }
                if (random.nextInt(4) == 0) {
                    payload = Arrays.copyOf(payload, payload.length - random.nextInt(payload.length / 2));
                }
            }
            byte[] segment = new byte[before + payload.length + random.nextInt(12)];
            System.arraycopy(payload, 0, segment, before, payload.length);
            String slow = slow(payload);
            SampleBuffer all = new SampleBuffer(random.nextInt(300));
            assertThat(decoded(segment, before, payload.length, Long.MAX_VALUE, all)).isEqualTo(slow);
            if (all.size == 0) {
                return;
            }
            long maxTime = all.timestamps[random.nextInt(all.size)] - random.nextInt(2);
            int within = 0;
            while (within < all.size && all.timestamps[within] <= maxTime) {
                within++;
            }
            String part = decoded(segment, before, payload.length, maxTime, new SampleBuffer(0));
            assertThat(part).isEqualTo(slow.lines().limit(within).map(l -> l + '\n').collect(Collectors.joining()));
        });
    }

    private static String slow(byte[] payload) {
        try {
            return naive(payload);
        } catch (CorruptDataException e) {
            return "corrupt";
        }
    }

    private static String decoded(byte[] data, int offset, int length, long maxTime, SampleBuffer b) {
        return decoded(() -> ChunkDecoder.decode(Encoding.XOR, data, offset, length, Long.MIN_VALUE, maxTime, b), b);
    }

    /** What a decoder fills a buffer with. */
    private static String decoded(Runnable decoder, SampleBuffer b) {
        StringBuilder out = new StringBuilder();
        try {
            decoder.run();
            for (int i = 0; i < b.size; i++) {
                out.append(b.timestamps[i]).append(' ').append(Double.doubleToRawLongBits(b.values[i])).append('\n');
            }
        } catch (CorruptDataException e) {
            out.append("corrupt");
        } catch (RuntimeException e) {
            fail("no other exception", e);
        }
        return out.toString();
    }
}
