package io.varve.sidecar;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.block.BlockUploader;
import io.varve.model.CorruptDataException;
import io.varve.model.ErrorText;
import io.varve.model.Labels;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.objstore.BucketWriter;
import io.varve.objstore.NoSuchObjectException;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Durable;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings the blocks that Prometheus has cut into the bucket, oldest first, each once. A block is hard-linked aside, so that Prometheus may delete it
 * meanwhile, gets the {@code thanos} section in its {@code meta.json}, and is uploaded. Nothing in Prometheus' own directories is changed beside
 * {@code thanos/upload} and the state file. One thread.
 */
final class Shipper {
    private static final Logger LOG = LoggerFactory.getLogger(Shipper.class);
    private static final int MAX_META_BYTES = 16 << 20;

    /**
     * How it ships.
     *
     * @param tsdb Prometheus' data directory
     * @param stateFile name of the state file in it
     * @param uploadCompacted also blocks of level 2 and more
     * @param allowOutOfOrder a block that fails does not keep later ones back, and overlaps are not looked for
     * @param skipCorrupted a block that cannot be read does not keep others back
     * @param hash what is recorded of files
     * @param concurrency files uploaded at a time
     */
    record Options(Path tsdb, String stateFile, boolean uploadCompacted, boolean allowOutOfOrder, boolean skipCorrupted,
            BlockUploader.Hash hash, int concurrency) {
    }

    private final Options options;
    private final BucketWriter bucket;
    private final Supplier<Labels> external;
    private final BlockUploader uploader;
    private final Counter dirSyncs;
    private final Counter dirSyncFailures;
    private final Counter uploads;
    private final Counter uploadFailures;
    private final Counter corrupted;
    private final Gauge compactedDone;

    Shipper(Options options, BucketWriter bucket, Supplier<Labels> external, InstantSource clock, PrometheusRegistry registry) {
        this.options = options;
        this.bucket = bucket;
        this.external = external;
        this.uploader = new BlockUploader(bucket, options.concurrency(), options.hash(), clock);
        dirSyncs = Counter.builder().name("thanos_shipper_dir_syncs_total").help("Total number of dir syncs").register(registry);
        dirSyncFailures = Counter.builder().name("thanos_shipper_dir_sync_failures_total").help("Total number of failed dir syncs")
                .register(registry);
        uploads = Counter.builder().name("thanos_shipper_uploads_total").help("Total number of uploaded blocks").register(registry);
        uploadFailures = Counter.builder().name("thanos_shipper_upload_failures_total").help("Total number of block upload failures")
                .register(registry);
        corrupted = Counter.builder().name("thanos_shipper_corrupted_blocks_total").help("Total number of corrupted blocks")
                .register(registry);
        compactedDone = Gauge.builder().name("thanos_shipper_upload_compacted_done")
                .help("If 1 it means shipper uploaded all compacted blocks from the filesystem.").register(registry);
    }

    /**
     * One pass over the directory.
     *
     * @return how many blocks were uploaded
     * @throws VarveException where a block keeps the others back; what was uploaded before stays uploaded
     */
    int sync() {
        try {
            int count = pass();
            dirSyncs.inc();
            return count;
        } catch (RuntimeException e) {
            dirSyncFailures.inc();
            throw e;
        }
    }

    private int pass() {
        Path stateFile = options.tsdb().resolve(options.stateFile());
        Set<Ulid> known = ShipperState.read(stateFile);
        Set<Ulid> uploaded = new LinkedHashSet<>();
        int count = 0;
        int failed = 0;
        List<BlockMeta> blocks = localBlocks();
        BucketBlocks others = new BucketBlocks();
        for (BlockMeta meta : blocks) {
            // A block in the state file is uploaded and stays listed as long as it is on disk.
            if (known.contains(meta.ulid())) {
                uploaded.add(meta.ulid());
                continue;
            }
            if (meta.stats().samples() == 0) {
                LOG.atDebug().addKeyValue("block", meta.ulid()).log("empty block is not uploaded");
                continue;
            }
            if (meta.compaction().level() > 1 && !options.uploadCompacted()) {
                continue;
            }
            try {
                if (bucket.find(meta.ulid() + "/" + BlockMeta.FILE).isPresent()) {
                    uploaded.add(meta.ulid());
                    continue;
                }
                if (meta.compaction().level() > 1 && !options.allowOutOfOrder()) {
                    others.refuseOverlap(meta);
                }
                upload(meta);
                others.add(meta);
                uploaded.add(meta.ulid());
                count++;
                uploads.inc();
            } catch (VarveException e) {
                if (!options.allowOutOfOrder()) {
                    uploadFailures.inc();
                    // What is done must be remembered, or Prometheus would wait for blocks that are in the bucket.
                    write(stateFile, known, uploaded, blocks);
                    throw e;
                }
                failed++;
                uploadFailures.inc();
                LOG.atError().addKeyValue("block", meta.ulid()).addKeyValue("err", ErrorText.of(e)).log("shipping failed");
            }
        }
        write(stateFile, known, uploaded, blocks);
        if (options.uploadCompacted()) {
            compactedDone.set(failed == 0 ? 1 : 0);
        }
        if (failed > 0) {
            throw new UnavailableException("failed to sync " + failed + " of " + blocks.size() + " blocks");
        }
        return count;
    }

    private static void write(Path stateFile, Set<Ulid> known, Set<Ulid> uploaded, List<BlockMeta> blocks) {
        Set<Ulid> all = new LinkedHashSet<>();
        for (BlockMeta meta : blocks) {
            if (uploaded.contains(meta.ulid()) || known.contains(meta.ulid())) {
                all.add(meta.ulid());
            }
        }
        if (all.equals(known) && Files.exists(stateFile)) {
            return;
        }
        try {
            ShipperState.write(stateFile, all);
        } catch (IOException e) {
            throw new UnavailableException("writing " + stateFile + ": " + e, e);
        }
    }

    /** The blocks on disk, by their begin. */
    private List<BlockMeta> localBlocks() {
        List<BlockMeta> blocks = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(options.tsdb(), Files::isDirectory)) {
            for (Path dir : entries) {
                if (Ulid.parse(dir.getFileName().toString()).isPresent()) {
                    BlockMeta meta = localMeta(dir);
                    if (meta != null) {
                        blocks.add(meta);
                    }
                }
            }
        } catch (IOException e) {
            throw new UnavailableException("read dir " + options.tsdb() + ": " + e, e);
        }
        blocks.sort(Comparator.comparingLong(BlockMeta::minTime).thenComparing(m -> m.ulid().toString()));
        return blocks;
    }

    private @Nullable BlockMeta localMeta(Path dir) {
        if (!Files.isRegularFile(dir.resolve(BlockMeta.FILE))) {
            // Prometheus is about to delete it, or has just begun to.
            return null;
        }
        try {
            return BlockMeta.read(dir);
        } catch (CorruptDataException | UnavailableException e) {
            if (!Files.exists(dir)) {
                return null;
            }
            corrupted.inc();
            if (!options.skipCorrupted()) {
                throw e;
            }
            LOG.atWarn().addKeyValue("block", dir.getFileName()).addKeyValue("err", ErrorText.of(e))
                    .log("skipping a block that cannot be read");
            return null;
        }
    }

    private void upload(BlockMeta meta) {
        LOG.atInfo().addKeyValue("block", meta.ulid()).log("upload new block");
        Path source = options.tsdb().resolve(meta.ulid().toString());
        Path aside = options.tsdb().resolve("thanos").resolve("upload").resolve(meta.ulid().toString());
        try {
            Durable.deleteTree(aside);
            Files.createDirectories(aside.resolve("chunks"));
            try (DirectoryStream<Path> segments = Files.newDirectoryStream(source.resolve("chunks"))) {
                for (Path segment : segments) {
                    Files.createLink(aside.resolve("chunks").resolve(segment.getFileName()), segment);
                }
            }
            Files.createLink(aside.resolve("index"), source.resolve("index"));
            BlockMeta.Thanos section = meta.thanosSection()
                    .map(t -> t.withLabels(t.labels().overriddenBy(external.get())).withSource("sidecar"))
                    // As Thanos' sidecar: without a version, which readers take for 1.
                    .orElseGet(() -> new BlockMeta.Thanos(0, external.get(), 0, "sidecar", List.of(), List.of(), List.of(),
                            BlockMeta.IndexStats.UNKNOWN, null, null));
            BlockMeta shipped = meta.withThanos(section);
            Files.write(aside.resolve(BlockMeta.FILE), shipped.toJson());
            uploader.upload(aside, shipped);
        } catch (IOException e) {
            throw new UnavailableException("hard link block " + meta.ulid() + ": " + e, e);
        } finally {
            try {
                Durable.deleteTree(aside);
            } catch (IOException e) {
                LOG.atWarn().addKeyValue("dir", aside).addKeyValue("err", String.valueOf(e)).log("cannot clean the upload directory");
            }
        }
    }

    /** Blocks of our stream in the bucket, read once per pass and only when a compacted block asks. */
    private final class BucketBlocks {
        private @Nullable List<BlockMeta> metas;

        void add(BlockMeta meta) {
            if (metas != null) {
                metas.add(meta);
            }
        }

        /** Compacted blocks next to the blocks they were made of would count everything twice. */
        void refuseOverlap(BlockMeta meta) {
            List<BlockMeta> all = metas;
            if (all == null) {
                all = list();
                metas = all;
            }
            for (BlockMeta other : all) {
                if (other.minTime() < meta.maxTime() && meta.minTime() < other.maxTime()) {
                    throw new io.varve.model.InvalidRequestException("shipping compacted block " + meta.ulid()
                            + " is blocked; overlap spotted: " + other.ulid() + " [" + other.minTime() + ", " + other.maxTime() + ")");
                }
            }
        }

        private List<BlockMeta> list() {
            LOG.info("gathering all existing blocks from the remote bucket for check");
            List<String> ids = new ArrayList<>();
            bucket.list("", key -> {
                String name = key.endsWith("/") ? key.substring(0, key.length() - 1) : key;
                if (Ulid.parse(name).isPresent()) {
                    ids.add(name);
                }
            });
            List<BlockMeta> found = new ArrayList<>();
            for (String id : ids) {
                meta(id).filter(m -> m.externalLabels().equals(external.get())).ifPresent(found::add);
            }
            return found;
        }

        private Optional<BlockMeta> meta(String id) {
            String key = id + "/" + BlockMeta.FILE;
            try (InputStream in = bucket.open(key)) {
                return Optional.of(BlockMeta.parse(in.readNBytes(MAX_META_BYTES), key));
            } catch (NoSuchObjectException e) {
                return Optional.empty();
            } catch (IOException e) {
                throw new UnavailableException("reading " + key + ": " + e, e);
            }
        }
    }
}
