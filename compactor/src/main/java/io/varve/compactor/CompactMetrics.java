package io.varve.compactor;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.block.BlockMark;

/** The compactor's metrics, under Thanos' names. */
final class CompactMetrics {
    final Gauge halted;
    final Counter retries;
    final Counter iterations;
    final Counter cleanupLoops;
    final Counter blocksCleaned;
    final Counter cleanupFailures;
    final Counter partialDeletions;
    final Counter marked;
    final Counter garbageCollected;
    final Counter garbageCollections;
    final Counter garbageCollectionFailures;
    final Histogram garbageCollectionDuration;
    final Counter compactions;
    final Counter runsStarted;
    final Counter runsCompleted;
    final Counter compactionFailures;
    final Counter verticalCompactions;
    final Counter downsamples;
    final Counter downsampleFailures;
    final Histogram downsampleDuration;
    final Gauge todoCompactions;
    final Gauge todoCompactionBlocks;
    final Gauge todoDownsampleBlocks;
    final Gauge todoDeletionBlocks;

    CompactMetrics(PrometheusRegistry registry, double consistencyDelaySeconds, double deleteDelaySeconds) {
        halted = gauge(registry, "thanos_compact_halted", "Set to 1 if the compactor halted due to an unexpected error.");
        retries = counter(registry, "thanos_compact_retries_total", "Total number of retries after retriable compactor error.");
        iterations = counter(registry, "thanos_compact_iterations_total", "Total number of iterations that were executed successfully.");
        cleanupLoops = counter(registry, "thanos_compact_block_cleanup_loops_total",
                "Total number of concurrent cleanup loops of partially uploaded blocks and marked blocks that were executed successfully.");
        blocksCleaned = counter(registry, "thanos_compact_blocks_cleaned_total", "Total number of blocks deleted in compactor.");
        cleanupFailures = counter(registry, "thanos_compact_block_cleanup_failures_total",
                "Failures encountered while deleting blocks in compactor.");
        partialDeletions = counter(registry, "thanos_compact_aborted_partial_uploads_deletion_attempts_total",
                "Total number of started deletions of blocks that are assumed aborted and only partially uploaded.");
        marked = Counter.builder().name("thanos_compact_blocks_marked_total").help("Total number of blocks marked in compactor.")
                .labelNames("marker", "reason").register(registry);
        garbageCollected = counter(registry, "thanos_compact_garbage_collected_blocks_total",
                "Total number of blocks marked for deletion by compactor.");
        garbageCollections = counter(registry, "thanos_compact_garbage_collection_total", "Total number of garbage collection operations.");
        garbageCollectionFailures = counter(registry, "thanos_compact_garbage_collection_failures_total",
                "Total number of failed garbage collection operations.");
        garbageCollectionDuration = Histogram.builder().name("thanos_compact_garbage_collection_duration_seconds").classicOnly()
                .help("Time it took to perform garbage collection iteration.").register(registry);
        compactions = perResolution(registry, "thanos_compact_group_compactions_total",
                "Total number of group compaction attempts that resulted in a new block.");
        runsStarted = perResolution(registry, "thanos_compact_group_compaction_runs_started_total",
                "Total number of group compaction attempts.");
        runsCompleted = perResolution(registry, "thanos_compact_group_compaction_runs_completed_total",
                "Total number of group completed compaction runs. This also includes compactor group runs that resulted with no compaction.");
        compactionFailures = perResolution(registry, "thanos_compact_group_compactions_failures_total",
                "Total number of failed group compactions.");
        verticalCompactions = perResolution(registry, "thanos_compact_group_vertical_compactions_total",
                "Total number of group compaction attempts that resulted in a new block based on overlapping blocks.");
        downsamples = perResolution(registry, "thanos_compact_downsample_total", "Total number of downsampling attempts.");
        downsampleFailures = perResolution(registry, "thanos_compact_downsample_failures_total",
                "Total number of failed downsampling attempts.");
        downsampleDuration = Histogram.builder().name("thanos_compact_downsample_duration_seconds").classicOnly()
                .help("Duration of downsample runs").labelNames("resolution")
                .classicUpperBounds(60, 300, 900, 1800, 3600, 7200, 14_400).register(registry);
        todoCompactions = gauge(registry, "thanos_compact_todo_compactions", "number of compactions to be done");
        todoCompactionBlocks = gauge(registry, "thanos_compact_todo_compaction_blocks", "number of blocks planned to be compacted");
        todoDownsampleBlocks = gauge(registry, "thanos_compact_todo_downsample_blocks", "number of blocks to be downsampled");
        todoDeletionBlocks = gauge(registry, "thanos_compact_todo_deletion_blocks",
                "number of blocks that have crossed their retention period");
        gauge(registry, "thanos_consistency_delay_seconds", "Configured consistency delay in seconds.").set(consistencyDelaySeconds);
        gauge(registry, "thanos_delete_delay_seconds", "Configured delete delay in seconds.").set(deleteDelaySeconds);
        // Alerts divide by these: they exist from the start.
        marked.initLabelValues(BlockMark.Kind.DELETION.file(), "");
        marked.initLabelValues(BlockMark.Kind.NO_COMPACT.file(), OUT_OF_ORDER);
        marked.initLabelValues(BlockMark.Kind.NO_COMPACT.file(), CompactionPlanner.INDEX_SIZE_EXCEEDING);
        marked.initLabelValues(BlockMark.Kind.NO_COMPACT.file(), CompactionPlanner.DOWNSAMPLE_VERTICAL);
        for (String resolution : new String[]{"0", "300000", "3600000"}) {
            compactions.initLabelValues(resolution);
            compactionFailures.initLabelValues(resolution);
            runsStarted.initLabelValues(resolution);
            runsCompleted.initLabelValues(resolution);
            verticalCompactions.initLabelValues(resolution);
            if (!resolution.equals("3600000")) {
                downsamples.initLabelValues(resolution);
                downsampleFailures.initLabelValues(resolution);
            }
        }
    }

    /** The reason of a marker for blocks with chunks out of order. */
    static final String OUT_OF_ORDER = "block-index-out-of-order-chunk";

    private static Counter counter(PrometheusRegistry registry, String name, String help) {
        return Counter.builder().name(name).help(help).register(registry);
    }

    private static Counter perResolution(PrometheusRegistry registry, String name, String help) {
        return Counter.builder().name(name).help(help).labelNames("resolution").register(registry);
    }

    private static Gauge gauge(PrometheusRegistry registry, String name, String help) {
        return Gauge.builder().name(name).help(help).register(registry);
    }
}
