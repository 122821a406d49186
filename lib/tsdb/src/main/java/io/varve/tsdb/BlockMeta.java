package io.varve.tsdb;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.TimeRange;
import io.varve.model.UnavailableException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A block's {@code meta.json}, Prometheus' fields and Thanos' section. Immutable. Fields that are not known are kept and
 * written again.
 *
 * @param ulid the block's name
 * @param minTime first millisecond of the block's range
 * @param maxTime end of the range, <b>not</b> included: at least the last sample's time + 1
 * @param stats what the block holds
 * @param compaction where it came from
 * @param thanos Thanos' section, null for a block that Prometheus alone has seen
 * @param unknown fields this version does not know
 */
public record BlockMeta(Ulid ulid, long minTime, long maxTime, Stats stats, Compaction compaction, @Nullable Thanos thanos,
        UnknownFields unknown) {
    /** The file's name. */
    public static final String FILE = "meta.json";
    /** The only version there is. */
    public static final int VERSION = 1;

    /**
     * Counts.
     *
     * @param samples all samples
     * @param floatSamples floats
     * @param histogramSamples histograms of both kinds
     * @param series series
     * @param chunks chunks
     * @param tombstones deleted intervals
     */
    public record Stats(long samples, long floatSamples, long histogramSamples, long series, long chunks, long tombstones) {
        /** Nothing. */
        public static final Stats EMPTY = new Stats(0, 0, 0, 0, 0, 0);
    }

    /**
     * A block that went into this one.
     *
     * @param ulid its name
     * @param minTime its range
     * @param maxTime end, not included
     */
    public record Parent(Ulid ulid, long minTime, long maxTime) {
    }

    /**
     * Where a block came from.
     *
     * @param level 1 for a block cut from a head; one more than the greatest of its inputs
     * @param sources the level 1 blocks whose data it holds
     * @param deletable whether compaction left nothing of it
     * @param parents the blocks it was made of directly
     * @param failed whether a compaction of it failed before
     * @param hints {@code from-out-of-order}, {@code from-stale-series}, {@code from-selected-series}
     */
    public record Compaction(int level, List<Ulid> sources, boolean deletable, List<Parent> parents, boolean failed, List<String> hints) {
        /** Copies the lists. */
        public Compaction {
            sources = List.copyOf(sources);
            parents = List.copyOf(parents);
            hints = List.copyOf(hints);
        }

        /** Of a new block that was not made of others. */
        public static Compaction fresh(Ulid ulid) {
            return new Compaction(1, List.of(ulid), false, List.of(), false, List.of());
        }
    }

    /**
     * Thanos' section.
     *
     * @param version 0 where the file does not say, else 1
     * @param labels external labels
     * @param resolutionMillis 0 for raw data, 300000 or 3600000 for downsampled
     * @param source which program made the block: {@code sidecar}, {@code compactor}, …
     * @param segmentFiles names of the chunk files
     * @param files all files, by path
     * @param rewrites what {@code tools bucket rewrite} did, as it is in the file
     * @param indexStats greatest sizes in the block
     * @param extensions any JSON, null for none
     * @param uploadTime when it was uploaded, null where unknown
     */
    public record Thanos(int version, Labels labels, long resolutionMillis, String source, List<String> segmentFiles, List<FileEntry> files,
            List<JsonNode> rewrites, IndexStats indexStats, @Nullable JsonNode extensions, @Nullable Instant uploadTime) {
        /** Copies the lists. */
        public Thanos {
            segmentFiles = List.copyOf(segmentFiles);
            files = List.copyOf(files);
            rewrites = List.copyOf(rewrites);
        }

        /** With external labels, resolution and source, the rest unset. */
        public static Thanos of(Labels labels, long resolutionMillis, String source) {
            return new Thanos(1, labels, resolutionMillis, source, List.of(), List.of(), List.of(), IndexStats.UNKNOWN, null, null);
        }

        /** With other external labels. */
        public Thanos withLabels(Labels newLabels) {
            return new Thanos(version, newLabels, resolutionMillis, source, segmentFiles, files, rewrites, indexStats, extensions,
                    uploadTime);
        }

        /** With another source. */
        public Thanos withSource(String newSource) {
            return new Thanos(version, labels, resolutionMillis, newSource, segmentFiles, files, rewrites, indexStats, extensions,
                    uploadTime);
        }

        /** With other files. */
        public Thanos withFiles(List<String> newSegmentFiles, List<FileEntry> newFiles) {
            return new Thanos(version, labels, resolutionMillis, source, newSegmentFiles, newFiles, rewrites, indexStats, extensions,
                    uploadTime);
        }

        /** With other sizes. */
        public Thanos withIndexStats(IndexStats newIndexStats) {
            return new Thanos(version, labels, resolutionMillis, source, segmentFiles, files, rewrites, newIndexStats, extensions,
                    uploadTime);
        }

        /** With other extensions. */
        public Thanos withExtensions(@Nullable JsonNode newExtensions) {
            return new Thanos(version, labels, resolutionMillis, source, segmentFiles, files, rewrites, indexStats, newExtensions,
                    uploadTime);
        }

        /** With another time of upload. */
        public Thanos withUploadTime(@Nullable Instant newUploadTime) {
            return new Thanos(version, labels, resolutionMillis, source, segmentFiles, files, rewrites, indexStats, extensions,
                    newUploadTime);
        }
    }

    /**
     * A file of the block.
     *
     * @param path relative to the block
     * @param sizeBytes its size, 0 where it is not given
     * @param hashFunction {@code SHA256}, or "" where there is no hash
     * @param hash in hex
     */
    public record FileEntry(String path, long sizeBytes, String hashFunction, String hash) {
        /** Without hash. */
        public FileEntry(String path, long sizeBytes) {
            this(path, sizeBytes, "", "");
        }
    }

    /**
     * Greatest sizes in a block, in bytes; a reader of ranges sizes its reads by them. 0 = unknown.
     *
     * @param seriesMaxSize of a series entry in the index, with padding
     * @param chunkMaxSize of a chunk in its segment file, with length and checksum
     */
    public record IndexStats(long seriesMaxSize, long chunkMaxSize) {
        /** Not known. */
        public static final IndexStats UNKNOWN = new IndexStats(0, 0);
    }

    /** Of a block without Thanos' section and unknown fields. */
    public BlockMeta(Ulid ulid, long minTime, long maxTime, Stats stats, Compaction compaction) {
        this(ulid, minTime, maxTime, stats, compaction, null, UnknownFields.NONE);
    }

    /** Thanos' section, if there is one. */
    public Optional<Thanos> thanosSection() {
        return Optional.ofNullable(thanos);
    }

    /** External labels, none for a block without Thanos' section. */
    public Labels externalLabels() {
        return thanos == null ? Labels.EMPTY : thanos.labels;
    }

    /** 0 for raw data. */
    public long resolutionMillis() {
        return thanos == null ? 0 : thanos.resolutionMillis;
    }

    /** The range with both ends included. */
    public TimeRange range() {
        return new TimeRange(minTime, maxTime - 1);
    }

    /** Whether the range shares an instant with {@code [min, max]}, both included. */
    public boolean overlaps(long min, long max) {
        return minTime <= max && min < maxTime;
    }

    /** With another name. */
    public BlockMeta withUlid(Ulid newUlid) {
        return new BlockMeta(newUlid, minTime, maxTime, stats, compaction, thanos, unknown);
    }

    /** With another range, end not included. */
    public BlockMeta withRange(long newMinTime, long newMaxTime) {
        return new BlockMeta(ulid, newMinTime, newMaxTime, stats, compaction, thanos, unknown);
    }

    /** With other counts. */
    public BlockMeta withStats(Stats newStats) {
        return new BlockMeta(ulid, minTime, maxTime, newStats, compaction, thanos, unknown);
    }

    /** With another origin. */
    public BlockMeta withCompaction(Compaction newCompaction) {
        return new BlockMeta(ulid, minTime, maxTime, stats, newCompaction, thanos, unknown);
    }

    /** With another section. */
    public BlockMeta withThanos(@Nullable Thanos newThanos) {
        return new BlockMeta(ulid, minTime, maxTime, stats, compaction, newThanos, unknown);
    }

    /**
     * Reads the JSON.
     *
     * @param name what errors call the file
     * @throws CorruptDataException where it is no meta.json of a known version
     */
    public static BlockMeta parse(byte[] json, String name) {
        return BlockMetaJson.parse(json, name);
    }

    /**
     * Reads {@code meta.json} in a block's directory.
     *
     * @throws UnavailableException where it is not there or cannot be read
     */
    public static BlockMeta read(Path blockDirectory) {
        Path file = blockDirectory.resolve(FILE);
        try {
            if (Files.size(file) > BlockMetaJson.MAX_BYTES) {
                throw new CorruptDataException(file.toString(), 0, "meta.json of " + Files.size(file) + " bytes is larger than any");
            }
            return parse(Files.readAllBytes(file), file.toString());
        } catch (IOException e) {
            throw UnavailableException.of("read " + file, e);
        }
    }

    /** The file's bytes, as Go's encoder writes them: tabs, order of fields, escapes. */
    public byte[] toJson() {
        return BlockMetaJson.write(this);
    }

    /** Writes {@code meta.json} into a directory: to a temporary file, synced, renamed. */
    public void write(Path blockDirectory) {
        try {
            Durable.replace(blockDirectory.resolve(FILE), toJson());
        } catch (IOException e) {
            throw new UnavailableException("write " + blockDirectory.resolve(FILE) + ": " + e, e);
        }
    }
}
