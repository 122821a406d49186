package io.varve.benchmarks;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleBuffer;
import io.varve.model.Span;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** Chunks to arrays and back. 2000 chunks, so that the branch predictor cannot learn them; numbers are per sample or per bucket. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class ChunkBenchmark {
    static final int CHUNKS = 2000;
    static final int SAMPLES = 120;
    static final int HISTOGRAM_CHUNKS = 200;
    static final int BUCKETS = 60;

    /** Floats of one shape. */
    @State(Scope.Thread)
    public static class Floats {
        /** How times and values develop. */
        @Param({"counter", "counterJittered", "integerGauge", "jitteredDoubles", "constant"})
        public String shape = "";

        private final SampleBuffer buffer = new SampleBuffer(SAMPLES);
        final List<Chunk> chunks = new ArrayList<>();
        private final long[][] times = new long[CHUNKS][SAMPLES];
        private final double[][] values = new double[CHUNKS][SAMPLES];

        /** Makes the chunks in one array, as a fetched range of a segment file is. */
        @Setup
        public void setup() {
            SplittableRandom random = new SplittableRandom(1);
            List<Chunk> single = new ArrayList<>();
            ChunkAppender appender = ChunkAppender.plain(SAMPLES, single::add);
            for (int c = 0; c < CHUNKS; c++) {
                long t = 1_700_000_000_000L + random.nextInt(15_000);
                double v = random.nextInt(100_000);
                for (int i = 0; i < SAMPLES; i++) {
                    boolean jitters = shape.equals("jitteredDoubles") || shape.equals("counterJittered") && random.nextInt(5) == 0;
                    v = switch (shape) {
                        case "counter", "counterJittered" -> v + random.nextInt(1, 100);
                        case "integerGauge" -> random.nextInt(3) == 0 ? random.nextInt(50) : v > 50 ? 25 : v;
                        case "jitteredDoubles" -> random.nextDouble() * 100;
                        default -> v;
                    };
                    times[c][i] = t + (jitters ? random.nextInt(-20, 20) : 0);
                    values[c][i] = v;
                    appender.append(times[c][i], v);
                    t += 15_000;
                }
                appender.cut();
            }
            int size = single.stream().mapToInt(c -> c.length() + 7).sum();
            byte[] segment = new byte[size + 8];
            int at = 0;
            for (Chunk c : single) {
                System.arraycopy(c.data(), 0, segment, at, c.length());
                chunks.add(new Chunk(c.minTime(), c.maxTime(), c.encoding(), segment, at, c.length()));
                at += c.length() + 7;
            }
        }
    }

    /** Histograms of a service's latencies. */
    @State(Scope.Thread)
    public static class Histograms {
        /** Busy: two thirds of the buckets change from sample to sample, which no predictor learns; usual: a tenth, as in chunks of Prometheus' own. */
        @Param({"busy", "usual"})
        public String shape = "busy";

        private final SampleBuffer buffer = new SampleBuffer(SAMPLES);
        private final List<Chunk> integers = new ArrayList<>();
        private final List<Chunk> floats = new ArrayList<>();

        /** Makes the chunks. */
        @Setup
        public void setup() {
            SplittableRandom random = new SplittableRandom(1);
            ChunkAppender ints = ChunkAppender.plain(SAMPLES, integers::add);
            ChunkAppender flts = ChunkAppender.plain(SAMPLES, floats::add);
            List<Span> spans = List.of(new Span(-30, BUCKETS));
            for (int c = 0; c < HISTOGRAM_CHUNKS; c++) {
                long[] counts = new long[BUCKETS];
                for (int i = 0; i < SAMPLES; i++) {
                    long total = 0;
                    for (int b = 0; b < BUCKETS; b++) {
                        // Most observations fall near the middle.
                        int seen = random.nextInt(1 + 40 / (1 + Math.abs(b - BUCKETS / 2)));
                        counts[b] += shape.equals("busy") || random.nextInt(6) == 0 ? seen : 0;
                        total += counts[b];
                    }
                    long[] deltas = new long[BUCKETS];
                    for (int b = 0; b < BUCKETS; b++) {
                        deltas[b] = counts[b] - (b == 0 ? 0 : counts[b - 1]);
                    }
                    Histogram h = new Histogram(CounterResetHint.UNKNOWN, 3, 0.001, 0, total, total * 0.3, spans, deltas, List.of(),
                            new long[0], FloatHistogram.NO_BUCKETS);
                    ints.append(0, i * 15_000L, h);
                    flts.append(0, i * 15_000L, h.toFloat());
                }
                ints.cut();
                flts.cut();
            }
        }
    }

    /** Decodes every chunk. */
    @Benchmark
    @OperationsPerInvocation(CHUNKS * SAMPLES)
    public long xorDecode(Floats f) {
        long sum = 0;
        SampleBuffer b = f.buffer;
        for (int i = 0; i < CHUNKS; i++) {
            b.clear();
            ChunkDecoder.decode(f.chunks.get(i), b);
            sum += b.timestamps[b.size - 1];
        }
        return sum;
    }

    /** The same by a plain decoder, which ours is compared with. */
    @Benchmark
    @OperationsPerInvocation(CHUNKS * SAMPLES)
    public long xorDecodePlain(Floats f) {
        long sum = 0;
        SampleBuffer b = f.buffer;
        for (int i = 0; i < CHUNKS; i++) {
            Chunk c = f.chunks.get(i);
            int n = PlainXor.decode(c.data(), c.offset(), b.timestamps, b.values);
            sum += b.timestamps[n - 1];
        }
        return sum;
    }

    /** Encodes every chunk. */
    @Benchmark
    @OperationsPerInvocation(CHUNKS * SAMPLES)
    public long xorEncode(Floats f) {
        long[] sum = new long[1];
        ChunkAppender appender = ChunkAppender.plain(SAMPLES, c -> sum[0] += c.length());
        for (int i = 0; i < CHUNKS; i++) {
            long[] t = f.times[i];
            double[] v = f.values[i];
            for (int k = 0; k < SAMPLES; k++) {
                appender.append(t[k], v[k]);
            }
            appender.cut();
        }
        return sum[0];
    }

    /** Encodes every chunk from its arrays, as merging and downsampling do. */
    @Benchmark
    @OperationsPerInvocation(CHUNKS * SAMPLES)
    public long xorEncodeArrays(Floats f) {
        long[] sum = new long[1];
        ChunkAppender appender = ChunkAppender.plain(SAMPLES, c -> sum[0] += c.length());
        for (int i = 0; i < CHUNKS; i++) {
            appender.append(f.times[i], f.values[i], 0, SAMPLES);
            appender.cut();
        }
        return sum[0];
    }

    /** Decodes integer histograms to float histograms; per bucket. */
    @Benchmark
    @OperationsPerInvocation(HISTOGRAM_CHUNKS * SAMPLES * BUCKETS)
    public long histogramDecode(Histograms h) {
        return decode(h.integers, h.buffer);
    }

    /** Decodes float histograms; per bucket. */
    @Benchmark
    @OperationsPerInvocation(HISTOGRAM_CHUNKS * SAMPLES * BUCKETS)
    public long floatHistogramDecode(Histograms h) {
        return decode(h.floats, h.buffer);
    }

    private static long decode(List<Chunk> chunks, SampleBuffer b) {
        long sum = 0;
        for (Chunk c : chunks) {
            b.clear();
            ChunkDecoder.decode(c, b);
            sum += b.size;
        }
        return sum;
    }
}
