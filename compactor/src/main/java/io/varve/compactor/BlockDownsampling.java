package io.varve.compactor;

import io.varve.block.BlockDownloader;
import io.varve.block.BlockUploader;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.chunk.Downsampler;
import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
import io.varve.objstore.Bucket;
import io.varve.runtime.MemoryPool;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockReader;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.IndexHealth;
import io.varve.tsdb.ParallelSeriesSet;
import io.varve.tsdb.Ulid;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Downsamples one block: download, check, one series after the other, check, upload. The block itself stays. */
final class BlockDownsampling {
    private static final Logger LOG = LoggerFactory.getLogger(BlockDownsampling.class);

    private final Bucket bucket;
    private final CompactOptions options;
    private final CompactMetrics metrics;
    private final InstantSource clock;
    private final RandomGenerator random;
    private final MemoryPool memory;

    BlockDownsampling(Bucket bucket, CompactOptions options, CompactMetrics metrics, InstantSource clock, RandomGenerator random,
            MemoryPool memory) {
        this.bucket = bucket;
        this.options = options;
        this.metrics = metrics;
        this.clock = clock;
        this.random = random;
        this.memory = memory;
    }

    void run(DownsamplingPlanner.Task task) {
        String resolution = Long.toString(task.block().resolutionMillis());
        long begin = System.nanoTime();
        try {
            downsample(task);
            metrics.downsamples.labelValues(resolution).inc();
            metrics.downsampleDuration.labelValues(resolution).observe((System.nanoTime() - begin) / 1e9);
        } catch (RuntimeException | Error e) {
            metrics.downsampleFailures.labelValues(resolution).inc();
            throw e;
        }
    }

    private void downsample(DownsamplingPlanner.Task task) {
        long begin = clock.millis();
        BlockMeta source = task.block();
        Path directory = options.dataDirectory().resolve("downsample");
        Path local = directory.resolve(source.ulid().toString());
        Ulid id = Ulid.of(begin, random);
        Path result = directory.resolve(id.toString());
        try {
            new BlockDownloader(bucket, options.filesConcurrency()).download(source.ulid(), local);
            BlockMeta written = write(source, local, directory, id, task.resolutionMillis());
            IndexHealth health;
            try (BlockReader reader = BlockReader.open(result)) {
                health = IndexHealth.of(reader);
            }
            if (health.outsideChunks() > 0 || health.outOfOrderChunks() > 0 || health.duplicatedChunks() > 0 || health.unsortedSeries() > 0
                    || health.outOfOrderLabels() > 0) {
                throw new CorruptDataException(id + "/" + BlockReader.INDEX, -1,
                        "downsampled block of " + source.ulid() + " is not sound: " + health);
            }
            new BlockUploader(bucket, options.filesConcurrency(), options.hash(), clock).handOver(result, written);
            LOG.atInfo().addKeyValue("from", source.ulid()).addKeyValue("to", id).addKeyValue("resolution", task.resolutionMillis())
                    .addKeyValue("series", written.stats().series()).addKeyValue("duration_ms", clock.millis() - begin)
                    .log("downsampled block");
        } finally {
            Directories.delete(local);
            Directories.delete(result);
        }
    }

    /** For one thread: a downsampler is reused from series to series. */
    private static UnaryOperator<ChunkSeries> downsampler(BlockMeta source, long resolution) {
        Downsampler downsampler = new Downsampler();
        long from = source.resolutionMillis();
        return series -> new ChunkSeries(series.labels(),
                from == 0 ? downsampler.raw(series.chunks(), resolution) : downsampler.aggregated(series.chunks(), from, resolution));
    }

    private BlockMeta write(BlockMeta source, Path local, Path directory, Ulid id, long resolution) {
        try (BlockReader reader = BlockReader.open(local); MemoryPool.Budget budget = memory.open()) {
            IndexHealth health = IndexHealth.of(reader);
            if (health.outsideChunks() > 0) {
                throw new CorruptDataException(source.ulid() + "/" + BlockReader.INDEX, -1,
                        "found " + health.outsideChunks() + " chunks outside the block time range");
            }
            try (ChunkSeriesSet all = new ParallelSeriesSet(reader.stored(), () -> downsampler(source, resolution), options.seriesThreads(
                    options.downsampleConcurrency()), budget);
                    BlockWriter writer = BlockWriter.create(directory, id, BlockWriter.SEGMENT_BYTES, budget)) {
                // All symbols of the block, used or not, as Thanos writes them.
                reader.index().symbols().forEach(writer::addSymbol);
                for (ChunkSeries series = all.next(); series != null; series = all.next()) {
                    if (Thread.currentThread().isInterrupted()) {
                        throw new CancelledException(CancelledException.Reason.CANCELED,
                                "downsampling of " + source.ulid() + ": interrupted");
                    }
                    if (!series.chunks().isEmpty()) {
                        writer.add(series);
                    }
                }
                BlockMeta.Thanos old = source.thanosSection()
                        .orElseThrow(() -> new CorruptDataException(source.ulid() + "/" + BlockMeta.FILE, -1,
                                "downsampling needs a block with a thanos section"));
                BlockMeta.Thanos thanos = new BlockMeta.Thanos(old.version(), old.labels(), resolution, "compactor", List.of(), List.of(),
                        old.rewrites(),
                        BlockMeta.IndexStats.UNKNOWN, old.extensions(), null);
                // Level, sources and parents stay: by its sources a block is known to be downsampled already. Thanos keeps the raw counts by kind.
                return writer.commit(stats -> source.withUlid(id).withThanos(thanos.withIndexStats(writer.indexStats()))
                        .withStats(new BlockMeta.Stats(stats.samples(),
                                source.stats().floatSamples(), source.stats().histogramSamples(), stats.series(), stats.chunks(), 0)));
            }
        }
    }
}
