package io.varve.store;

import io.varve.chunk.AggregateChunk;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.Downsampler;
import io.varve.model.CounterResetHint;
import io.varve.model.Histogram;
import io.varve.model.Labels;
import io.varve.model.Span;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * Series of targets that do not exist, for a process to answer queries over before it answers anybody: counters, gauges, classic and
 * native histograms as a Prometheus would have scraped them, with jitter and missed scrapes. The same for the same arguments.
 *
 * <p>
 * Metrics: {@code warmup_requests_total}, {@code warmup_memory_bytes}, {@code warmup_latency_seconds_bucket},
 * {@code warmup_rpc_seconds} (native) and {@code warmup_info}, with the labels {@code instance}, {@code code} and {@code le} where they belong.
 */
public final class WarmUpSeries {
    private static final long SCRAPE_MILLIS = 15_000;
    private static final int INSTANCES = 10;
    private static final List<String> CODES = List.of("200", "400", "404", "500", "503");
    private static final List<String> BOUNDS = List.of("0.005", "0.01", "0.05", "0.1", "0.5", "1", "5", "+Inf");
    private static final int NATIVE_BUCKETS = 24;
    private static final double MISSED = 0.01;

    private WarmUpSeries() {
    }

    private interface Samples {
        void append(ChunkAppender appender, long time, long scrape);
    }

    /**
     * What one replica recorded in {@code [fromMillis, toMillis)}, in label order, in chunks of 120 samples.
     *
     * @param replica tells offset and jitter of its scrapes; it is not in the labels
     */
    public static List<StoreSeries> of(int replica, long fromMillis, long toMillis) {
        List<StoreSeries> out = new ArrayList<>();
        for (int i = 0; i < INSTANCES; i++) {
            SplittableRandom random = new SplittableRandom(31L * replica + i);
            String instance = "10.0.0." + i + ":9100";
            int weight = i + 1;
            Consumer<Named> add = n -> out.add(new StoreSeries(n.labels, chunks(random, fromMillis, toMillis, n.samples)));
            for (int c = 0; c < CODES.size(); c++) {
                long step = weight * 13L / (c + 1);
                add.accept(named("warmup_requests_total", instance, "code", CODES.get(c), (a, t, n) -> a.append(t, n * step + (n & 7))));
            }
            for (int b = 0; b < BOUNDS.size(); b++) {
                long step = weight * (b + 1L);
                add.accept(named("warmup_latency_seconds_bucket", instance, "le", BOUNDS.get(b), (a, t, n) -> a.append(t, n * step)));
            }
            add.accept(named("warmup_memory_bytes", instance, "job", "made-up",
                    (a, t, n) -> a.append(t, 1e9 + random.nextInt(1 << 20) * 4096.0 / weight)));
            add.accept(named("warmup_info", instance, "version", "1." + (i & 3), (a, t, n) -> a.append(t, 1)));
            add.accept(named("warmup_rpc_seconds", instance, "job", "made-up", (a, t, n) -> a.append(0, t, histogram(n * weight))));
        }
        out.sort(Comparator.comparing(StoreSeries::labels));
        return out;
    }

    /**
     * The same series with the windows of 5 minutes that a compactor makes of them.
     *
     * @param series series with raw chunks
     */
    public static List<StoreSeries> downsampled(List<StoreSeries> series) {
        Downsampler downsampler = new Downsampler();
        return series.stream().map(s -> new StoreSeries(s.labels(), downsampler.raw(
                s.chunks().stream().map(StoreChunk::raw).toList(), 300_000).stream().map(WarmUpSeries::aggregates).toList())).toList();
    }

    private static StoreChunk aggregates(Chunk chunk) {
        AggregateChunk parts = AggregateChunk.parse(chunk);
        return new StoreChunk(chunk.minTime(), chunk.maxTime(), null, parts.part(AggregateChunk.Part.COUNT),
                parts.part(AggregateChunk.Part.SUM), parts.part(AggregateChunk.Part.MIN), parts.part(AggregateChunk.Part.MAX),
                parts.part(AggregateChunk.Part.COUNTER));
    }

    private record Named(Labels labels, Samples samples) {
    }

    private static Named named(String metric, String instance, String label, String value, Samples samples) {
        return new Named(Labels.of("__name__", metric, "instance", instance, label, value), samples);
    }

    private static List<StoreChunk> chunks(SplittableRandom random, long from, long to, Samples samples) {
        List<StoreChunk> out = new ArrayList<>();
        ChunkAppender appender = ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, c -> out.add(StoreChunk.raw(c)));
        long n = 0;
        for (long t = from + random.nextInt((int) SCRAPE_MILLIS); t < to; t += SCRAPE_MILLIS) {
            n++;
            if (random.nextDouble() >= MISSED) {
                samples.append(appender, Math.min(t + random.nextInt(20), to - 1), n);
            }
        }
        appender.cut();
        return out;
    }

    private static Histogram histogram(long n) {
        long[] deltas = new long[NATIVE_BUCKETS];
        long before = 0;
        long count = 0;
        for (int b = 0; b < NATIVE_BUCKETS; b++) {
            long bucket = n * (1 + b * (NATIVE_BUCKETS - b) % 11);
            deltas[b] = bucket - before;
            before = bucket;
            count += bucket;
        }
        return new Histogram(CounterResetHint.UNKNOWN, 3, 1e-6, 0, count, count * 0.2,
                List.of(new Span(-8, 10), new Span(2, NATIVE_BUCKETS - 10)),
                deltas, List.of(), new long[0], new double[0]);
    }
}
