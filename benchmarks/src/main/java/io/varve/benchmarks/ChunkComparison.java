package io.varve.benchmarks;

import io.varve.chunk.Chunk;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * What {@link ChunkBenchmark} measures, in turns with a plain decoder in one process, by processor time of the thread: the ratios hold on a machine that is now fast and now slow.
 *
 * <pre>
 * ChunkComparison counter|counterJittered|integerGauge|jitteredDoubles|constant|histograms|usualHistograms [ROUNDS]
 * </pre>
 *
 * One shape for each process, as the JIT compiler makes of the loops what their data ask for. For each kind of work it prints the best and the middle of all rounds in
 * nanoseconds per sample or bucket, and the ratio to each plain decoding: of the bests, and the middle of those of single rounds.
 */
public final class ChunkComparison {
    private static final long WARM_NANOS = 1_500_000_000L;
    private static final int MIN_SAMPLES = 1_440_000;

    private ChunkComparison() {
    }

    private record Work(String name, int perRun, LongSupplier run) {
        double nanos(ThreadMXBean threads) {
            int runs = Math.max(1, MIN_SAMPLES / perRun);
            long sum = 0;
            long before = threads.getCurrentThreadCpuTime();
            for (int i = 0; i < runs; i++) {
                sum += run.getAsLong();
            }
            double nanos = (threads.getCurrentThreadCpuTime() - before) / (double) runs / perRun;
            if (sum == 0) {
                throw new IllegalStateException("nothing was done by " + name);
            }
            return nanos;
        }
    }

    /** Compares; see the class. */
    public static void main(String[] args) {
        String shape = args[0];
        int rounds = args.length > 1 ? Integer.parseInt(args[1]) : 20;
        List<Work> works = works(shape);
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        for (Work w : works) {
            for (long until = System.nanoTime() + WARM_NANOS; System.nanoTime() < until;) {
                w.nanos(threads);
            }
        }
        double[][] nanos = new double[works.size()][rounds];
        for (int r = 0; r < rounds; r++) {
            for (int k = 0; k < works.size(); k++) {
                int i = (k + r) % works.size();
                nanos[i][r] = works.get(i).nanos(threads);
            }
        }
        for (int i = 0; i < works.size(); i++) {
            StringBuilder line = new StringBuilder(
                    String.format(Locale.ROOT, "%-16s %-28s best %6.2f middle %6.2f", shape, works.get(i).name, best(nanos[i]),
                            middle(nanos[i])));
            for (int p = 0; p < works.size(); p++) {
                if (works.get(p).name.startsWith("plain")) {
                    double[] ratios = new double[rounds];
                    for (int r = 0; r < rounds; r++) {
                        ratios[r] = nanos[i][r] / nanos[p][r];
                    }
                    line.append(String.format(Locale.ROOT, "  / %s %.3f %.3f", works.get(p).name, best(nanos[i]) / best(nanos[p]),
                            middle(ratios)));
                }
            }
            System.out.println(line);
        }
    }

    private static List<Work> works(String shape) {
        ChunkBenchmark b = new ChunkBenchmark();
        List<Work> works = new ArrayList<>();
        int samples = ChunkBenchmark.CHUNKS * ChunkBenchmark.SAMPLES;
        if (shape.endsWith("istograms")) {
            ChunkBenchmark.Histograms h = new ChunkBenchmark.Histograms();
            h.shape = shape.startsWith("usual") ? "usual" : "busy";
            h.setup();
            int buckets = ChunkBenchmark.HISTOGRAM_CHUNKS * ChunkBenchmark.SAMPLES * ChunkBenchmark.BUCKETS;
            works.add(new Work("integer histograms", buckets, () -> b.histogramDecode(h)));
            works.add(new Work("float histograms", buckets, () -> b.floatHistogramDecode(h)));
        } else {
            ChunkBenchmark.Floats f = floats(shape);
            long bytes = f.chunks.stream().mapToLong(Chunk::length).sum();
            System.out.printf(Locale.ROOT, "%s: %.2f bytes per sample%n", shape, bytes / (double) samples);
            works.add(new Work("plain", samples, () -> b.xorDecodePlain(f)));
            works.add(new Work("decode", samples, () -> b.xorDecode(f)));
            works.add(new Work("encode from arrays", samples, () -> b.xorEncodeArrays(f)));
            works.add(new Work("encode sample by sample", samples, () -> b.xorEncode(f)));
        }
        // The scale for what the plain decoder has no figure of.
        for (String other : List.of("counter", "integerGauge")) {
            if (!other.equals(shape)) {
                ChunkBenchmark.Floats f = floats(other);
                works.add(new Work("plain " + other, samples, () -> b.xorDecodePlain(f)));
            }
        }
        return works;
    }

    private static ChunkBenchmark.Floats floats(String shape) {
        ChunkBenchmark.Floats f = new ChunkBenchmark.Floats();
        f.shape = shape;
        f.setup();
        return f;
    }

    private static double best(double[] nanos) {
        return Arrays.stream(nanos).min().orElseThrow();
    }

    private static double middle(double[] nanos) {
        return Arrays.stream(nanos).sorted().toArray()[nanos.length / 2];
    }
}
