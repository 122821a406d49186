package io.varve.block;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/** {@code thanos_blocks_meta_*}: what syncs found. One per registry. */
public final class BlockMetrics {
    final Counter syncs;
    final Counter failures;
    final Counter baseSyncs;
    final Counter cacheBusts;
    final Histogram duration;
    private final Gauge synced;
    private final Gauge modified;

    /** Registers them. */
    public BlockMetrics(PrometheusRegistry registry) {
        this(registry, "thanos_", registry);
    }

    /** Registers those of a second sync in the same process, for a view of all blocks: {@code thanos_bucket_uiblocks_meta_*}, as Thanos names them. */
    public static BlockMetrics ofView(PrometheusRegistry registry) {
        return new BlockMetrics(registry, "thanos_bucket_ui", new PrometheusRegistry());
    }

    private BlockMetrics(PrometheusRegistry registry, String prefix, PrometheusRegistry base) {
        syncs = Counter.builder().name(prefix + "blocks_meta_syncs_total").help("Total blocks metadata synchronization attempts")
                .register(registry);
        failures = Counter.builder().name(prefix + "blocks_meta_sync_failures_total").help("Total blocks metadata synchronization failures")
                .register(registry);
        baseSyncs = Counter.builder().name("thanos_blocks_meta_base_syncs_total")
                .help("Total blocks metadata synchronization attempts by base Fetcher").register(base);
        cacheBusts = Counter.builder().name("thanos_blocks_meta_base_cache_busts_total")
                .help("Total blocks metadata cache busts by base Fetcher").register(base);
        duration = Histogram.builder().name(prefix + "blocks_meta_sync_duration_seconds").classicOnly()
                .help("Duration of the blocks metadata synchronization in seconds").classicUpperBounds(0.01, 1, 10, 100, 300, 600, 1000)
                .register(registry);
        synced = Gauge.builder().name(prefix + "blocks_meta_synced").help("Number of block metadata synced").labelNames("state")
                .register(registry);
        modified = Gauge.builder().name(prefix + "blocks_meta_modified").help("Number of blocks whose metadata changed")
                .labelNames("modified")
                .register(registry);
        for (BlockState s : BlockState.values()) {
            synced.initLabelValues(s.label());
        }
        modified.initLabelValues("replica-label-removed");
    }

    void report(BlockCatalog catalog) {
        catalog.counts().forEach((state, n) -> synced.labelValues(state.label()).set(n));
        // States that are marks, not reasons to be left out.
        for (BlockMark.Kind kind : new BlockMark.Kind[]{BlockMark.Kind.NO_COMPACT, BlockMark.Kind.NO_DOWNSAMPLE}) {
            BlockState state = kind == BlockMark.Kind.NO_COMPACT ? BlockState.MARKED_FOR_NO_COMPACT : BlockState.MARKED_FOR_NO_DOWNSAMPLE;
            synced.labelValues(state.label()).set(catalog.marks().values().stream().filter(m -> m.containsKey(kind)).count());
        }
        long changed = catalog.blocks().values().stream()
                .filter(b -> {
                    var before = catalog.all().get(b.id());
                    return before != null && !before.externalLabels().equals(b.meta().externalLabels());
                }).count();
        modified.labelValues("replica-label-removed").set(changed);
    }
}
