package io.varve.benchmarks;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.SeriesSource;
import io.varve.promql.Engine;
import io.varve.promql.EngineOptions;
import io.varve.promql.QueryRequest;
import io.varve.promql.QueryResult;
import io.varve.promql.QueryValue;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Whole queries over 1,000 pods of 3 series each, XOR chunks in memory, decoding included; milliseconds per query. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
@State(Scope.Benchmark)
public class PromqlBenchmark {
    private static final int PODS = 1000;
    private static final int CONTAINERS = 3;
    private static final long INTERVAL = 30_000;
    private static final long START = 1_700_000_000_000L / INTERVAL * INTERVAL;

    /** Hours of data, all of it queried. */
    @Param({"6", "24"})
    public int hours;

    /** Distance of steps in seconds. */
    @Param({"30"})
    public int step;

    /**
     * {@code regular}: samples exactly 30 s apart and counters that rise evenly, as the field's own engine benchmarks load them;
     * {@code jittered}: up to 20 ms late each, random increments, a reset now and then, which is as hard as counters get;
     * {@code gauges}: samples exactly 30 s apart, random numbers of two decimals.
     */
    @Param({"regular", "jittered"})
    public String data = "regular";

    /** Threads that decode and compute. */
    @Param({"1", "2"})
    public int threads;

    /** What is asked. */
    @Param({"http_requests_total", "sum(http_requests_total)", "sum by (pod) (http_requests_total)", "rate(http_requests_total[5m])",
            "sum(rate(http_requests_total[5m]))", "sum(rate(http_requests_total[1d]))", "sum by (pod) (rate(http_requests_total[5m]))",
            "http_requests_total * on (pod, container) group_left () http_requests_total", "topk(5, http_requests_total)",
            "quantile(0.9, http_requests_total)", "count_values(\"v\", round(rate(http_requests_total[5m])))",
            "label_replace(http_requests_total, \"x\", \"$1\", \"pod\", \"pod-(.*)\")", "sum(sum_over_time(http_requests_total[1h]))",
            "sum(sum_over_time(http_requests_total[1d]))", "sum(max_over_time(http_requests_total[1h]))",
            "max_over_time(rate(http_requests_total[5m])[1h:1m])",
            "sum by (pod) (rate(http_requests_total[5m])) / sum by (pod) (http_requests_total)"})
    public String query = "";

    private final List<Encoded> series = new ArrayList<>();
    private @Nullable Engine engine;

    /** One series as chunks. */
    private record Encoded(Labels labels, List<Chunk> chunks) implements Series {
        @Override
        public void read(SampleBuffer into) {
            for (Chunk c : chunks) {
                ChunkDecoder.decode(c, Long.MIN_VALUE, Long.MAX_VALUE, into);
            }
        }

        @Override
        public long encodedBytes() {
            return 200L * chunks.size();
        }
    }

    private final class Memory implements SeriesSource {
        @Override
        public SeriesSet select(QueryContext context, SelectHints hints, List<Matcher> matchers) {
            return SeriesSet.of(series.iterator());
        }
    }

    /** Makes the series and the engine. */
    @Setup(Level.Trial)
    public void setup() {
        SplittableRandom random = new SplittableRandom(1);
        int samples = (int) (hours * 3_600_000L / INTERVAL) + 1;
        for (int p = 0; p < PODS; p++) {
            for (int c = 0; c < CONTAINERS; c++) {
                List<Chunk> chunks = new ArrayList<>();
                ChunkAppender appender = ChunkAppender.plain(120, chunks::add);
                double v = 0;
                for (int i = 0; i < samples; i++) {
                    if (data.equals("regular")) {
                        appender.append(START + i * INTERVAL, v);
                        v += 1 + p % 17 + c;
                    } else if (data.equals("gauges")) {
                        appender.append(START + i * INTERVAL, random.nextInt(10_000) / 100.0);
                    } else {
                        v = random.nextInt(5000) == 0 ? 0 : v + random.nextInt(100);
                        appender.append(START + i * INTERVAL + random.nextInt(20), v);
                    }
                }
                appender.cut();
                series.add(
                        new Encoded(Labels.of("__name__", "http_requests_total", "container", "c" + c, "pod", String.format("pod-%04d", p)),
                                chunks));
            }
        }
        series.sort(Comparator.comparing(Encoded::labels));
        engine = new Engine(EngineOptions.DEFAULT.withThreads(threads).withMaxSamples(0));
    }

    /** Ends the engine's threads. */
    @TearDown(Level.Trial)
    public void tearDown() {
        Engine e = engine;
        if (e != null) {
            e.close();
        }
    }

    /** One query. */
    @Benchmark
    public QueryValue run() {
        Engine e = engine;
        if (e == null) {
            throw new IllegalStateException("not set up");
        }
        QueryRequest request = QueryRequest.range(query, START, START + hours * 3_600_000L, step * 1000L);
        try (QueryResult result = e.execute(QueryContext.unlimited(), new Memory(), request)) {
            return result.value();
        }
    }
}
