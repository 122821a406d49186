package io.varve.benchmarks;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.SeriesSource;
import io.varve.promql.Engine;
import io.varve.promql.EngineOptions;
import io.varve.promql.Feature;
import io.varve.promql.QueryRequest;
import io.varve.promql.QueryResult;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How much heap a query takes for so many series, real heap and not what the engine reserved: run it with a small one.
 *
 * <pre>
 * java -XX:+UseSerialGC -Xmx40m ... PromqlHeap SERIES QUERY...
 * </pre>
 *
 * Series are made as they are asked for: an hour of samples 15 s apart, encoded, with labels of their own. It prints how full the old
 * generation was at most, which holds what lived through collections, and how often the collector ran.
 */
public final class PromqlHeap {
    private static final long START = 1_700_006_400_000L;
    private static final int SAMPLES = 241;

    private PromqlHeap() {
    }

    /** One series; all share their samples. */
    private record Made(Labels labels, List<Chunk> chunks) implements Series {
        @Override
        public void read(SampleBuffer into) {
            for (Chunk c : chunks) {
                ChunkDecoder.decode(c, into);
            }
        }

        @Override
        public long encodedBytes() {
            return chunks.stream().mapToLong(Chunk::length).sum();
        }
    }

    private static SeriesSource source(int series) {
        List<Chunk> chunks = new ArrayList<>();
        ChunkAppender appender = ChunkAppender.plain(120, chunks::add);
        for (int i = 0; i < SAMPLES; i++) {
            appender.append(START + i * 15_000L, i * 7);
        }
        appender.cut();
        return (QueryContext context, SelectHints hints, List<Matcher> matchers) -> new SeriesSet() {
            private int next;

            @Override
            public @Nullable Series next() {
                if (next == series) {
                    return null;
                }
                String area = "area-" + next * 10L / series;
                return new Made(Labels.of("__name__", "requests_total", "area", area, "uid", String.format("%08d", next++)), chunks);
            }

            @Override
            public void close() {
                next = series;
            }
        };
    }

    /** Runs it. */
    public static void main(String[] args) {
        int series = Integer.parseInt(args[0]);
        for (int i = 1; i < args.length; i++) {
            try (Engine engine = new Engine(
                    EngineOptions.DEFAULT.withMaxSamples(0).withFeatures(EnumSet.of(Feature.EXPERIMENTAL_FUNCTIONS)))) {
                long collections = collections();
                System.gc();
                ManagementFactory.getMemoryPoolMXBeans().forEach(MemoryPoolMXBean::resetPeakUsage);
                long begin = System.nanoTime();
                QueryRequest request = QueryRequest.range(args[i], START, START + (SAMPLES - 1) * 15_000L, 15_000);
                long old;
                try (QueryResult result = engine.execute(new QueryContext(0, MemoryBudget.UNLIMITED), source(series), request)) {
                    old = peak();
                    if (result.value() == null) {
                        throw new IllegalStateException("no answer");
                    }
                }
                System.out.printf("%9d series %-40s old generation at most %6.1f MB, %d collections, %.1f s, heap %d MB%n", series, args[i],
                        old / 1e6, collections() - collections, (System.nanoTime() - begin) / 1e9, Runtime.getRuntime().maxMemory() >> 20);
            }
        }
    }

    private static long peak() {
        long most = 0;
        for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
            if (pool.getType() == MemoryType.HEAP && (pool.getName().contains("Old") || pool.getName().contains("Tenured"))) {
                most = Math.max(most, pool.getPeakUsage().getUsed());
            }
        }
        return most;
    }

    private static long collections() {
        long n = 0;
        for (GarbageCollectorMXBean gc : ManagementFactory.getGarbageCollectorMXBeans()) {
            n += gc.getCollectionCount();
        }
        return n;
    }
}
