package io.varve.storegateway;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.block.BlockFilters;
import io.varve.block.BlockMark;
import io.varve.block.BlockMetrics;
import io.varve.block.BlockSync;
import io.varve.chunk.Chunk;
import io.varve.model.Labels;
import io.varve.model.QueryContext;
import io.varve.objstore.BucketReader;
import io.varve.store.SeriesRequest;
import io.varve.store.SeriesSink;
import io.varve.store.StoreChunk;
import io.varve.store.StoreSeries;
import io.varve.testkit.TempTree;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.Level;

/** A store gateway in this process, over any bucket. */
final class TestGateway implements AutoCloseable {
    /**
     * How it is set up.
     *
     * @param diskBytes size of the page cache, 0 for none
     * @param cache makes the index cache
     * @param limits request limits
     * @param options read sizes
     * @param memory bytes for all requests
     * @param concurrency calls at a time
     */
    record Setup(long diskBytes, Function<PrometheusRegistry, IndexCache> cache, RequestLimits.Limits limits, ReadOptions options,
            long memory,
            int concurrency) {
        static final Setup DEFAULT = new Setup(64 << 20, Setup::inMemory, new RequestLimits.Limits(0, 0, 0), ReadOptions.DEFAULT, 256 << 20,
                20);

        static IndexCache inMemory(PrometheusRegistry r) {
            return new MemoryIndexCache(16 << 20, 4 << 20, Set.of(IndexCache.Item.values()), new IndexCacheMetrics(r));
        }

        Setup disk(long bytes) {
            return new Setup(bytes, cache, limits, options, memory, concurrency);
        }

        Setup cache(Function<PrometheusRegistry, IndexCache> c) {
            return new Setup(diskBytes, c, limits, options, memory, concurrency);
        }

        Setup limits(long series, long samples, long bytes) {
            return new Setup(diskBytes, cache, new RequestLimits.Limits(series, samples, bytes), options, memory, concurrency);
        }

        Setup options(ReadOptions o) {
            return new Setup(diskBytes, cache, limits, o, memory, concurrency);
        }

        Setup memory(long bytes, int calls) {
            return new Setup(diskBytes, cache, limits, options, bytes, calls);
        }
    }

    /** A series frame, or those of the same labels in a row. */
    record Line(Labels labels, List<String> chunks) {
    }

    /** What a Series call gave. */
    record Answer(List<Line> lines, List<String> warnings, List<String> blocks) {
        long chunks() {
            return lines.stream().mapToLong(l -> l.chunks.size()).sum();
        }
    }

    final PrometheusRegistry registry = new PrometheusRegistry();
    final StoreGateway gateway;
    final BucketStore store;
    final MemoryBroker broker;
    final ObjectReader reader;
    final Optional<PageCache> pages;
    final StoreMetrics metrics;
    private final TempTree own;
    private final boolean ownsData;
    private final IndexCache cache;

    TestGateway(BucketReader bucket, Setup setup) {
        this(bucket, setup, TempTree.create(), true);
    }

    TestGateway(BucketReader bucket, Setup setup, TempTree data, boolean ownsData) {
        this.own = data;
        this.ownsData = ownsData;
        metrics = new StoreMetrics(registry);
        BlockSync sync = new BlockSync(bucket, data.resolve("meta-syncer"), 8, List.of(BlockFilters.ignoreDeletionMarks(24 * 3600_000L),
                BlockFilters.deduplicate()), Set.of(BlockMark.Kind.DELETION), new BlockMetrics(registry), System::currentTimeMillis);
        pages = setup.diskBytes > 0 ? Optional.of(new PageCache(data.resolve("pages"), setup.diskBytes)) : Optional.empty();
        reader = new ObjectReader(bucket, pages.orElse(null), 16, 64 << 20);
        gateway = new StoreGateway(sync, reader, pages, metrics,
                new StoreGateway.Options(data.root(), true, true, 4, true, 60_000, Level.DEBUG));
        broker = new MemoryBroker(setup.memory, setup.concurrency, 500);
        cache = setup.cache.apply(registry);
        store = new BucketStore(new BucketStore.Parts(gateway::blocks, reader, cache, new SeriesGate(setup.concurrency, 60_000, registry),
                setup.limits, setup.options, metrics, BucketStore.TimePartition.ALL, 8, BucketStore.QueryPattern.NONE));
        gateway.sync();
    }

    /** Asks, and checks the order of the frames on the way. */
    Answer series(SeriesRequest request) {
        List<Line> lines = new ArrayList<>();
        List<String> warnings = new ArrayList<>();
        List<String> blocks = new ArrayList<>();
        try (QueryContext context = new QueryContext(60_000, broker.open())) {
            store.series(context, request, new SeriesSink() {
                @Override
                public void series(StoreSeries s) {
                    List<String> chunks = s.chunks().stream().map(TestGateway::text).toList();
                    if (!lines.isEmpty()) {
                        int c = lines.getLast().labels.compareTo(s.labels());
                        if (c > 0) {
                            throw new AssertionError(s.labels() + " came after " + lines.getLast().labels);
                        }
                        if (c == 0) {
                            lines.getLast().chunks.addAll(chunks);
                            return;
                        }
                    }
                    lines.add(new Line(s.labels(), new ArrayList<>(chunks)));
                }

                @Override
                public void warning(String text) {
                    warnings.add(text);
                }

                @Override
                public void queriedBlocks(List<String> ids) {
                    blocks.addAll(ids);
                }
            });
        }
        return new Answer(lines, warnings, blocks);
    }

    /** A chunk as text: times and the bytes of every part. */
    static String text(StoreChunk c) {
        StringBuilder sb = new StringBuilder().append(c.minTime()).append('-').append(c.maxTime());
        part(sb, "raw", c.raw());
        part(sb, "count", c.count());
        part(sb, "sum", c.sum());
        part(sb, "min", c.min());
        part(sb, "max", c.max());
        part(sb, "counter", c.counter());
        return sb.toString();
    }

    private static void part(StringBuilder sb, String name, @Nullable Chunk c) {
        if (c != null) {
            sb.append(' ').append(name).append(':').append(c.encoding()).append(':').append(HexFormat.of().formatHex(c.copyData()));
        }
    }

    @Override
    public void close() {
        gateway.close();
        cache.close();
        if (ownsData) {
            own.close();
        }
    }
}
