package io.varve.block;

import io.varve.model.CorruptDataException;
import io.varve.model.UnavailableException;
import io.varve.objstore.BucketReader;
import io.varve.objstore.NoSuchObjectException;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Copies a block from a bucket into a local directory. Files that are there already are kept where {@code meta.json} has their SHA-256 and
 * it fits; all others are fetched, and checked against the size and hash that {@code meta.json} has of them. Safe for many threads.
 */
public final class BlockDownloader {
    private static final int MAX_META_BYTES = 128 << 20;

    private final BucketReader bucket;
    private final int concurrency;

    /**
     * @param bucket not closed here
     * @param concurrency files of one block fetched at a time
     */
    public BlockDownloader(BucketReader bucket, int concurrency) {
        this.bucket = bucket;
        this.concurrency = Math.max(1, concurrency);
    }

    /**
     * Fetches {@code meta.json}, the index and all chunk segments into {@code directory}, which is created; {@code meta.json} is written last.
     *
     * @return what {@code meta.json} says
     * @throws UnavailableException where the bucket or the disk fails, or the block is not (or no longer) complete
     * @throws CorruptDataException where {@code meta.json} cannot be used, or a file is not what it says
     */
    public BlockMeta download(Ulid id, Path directory) {
        try {
            byte[] json = meta(id);
            BlockMeta meta = BlockMeta.parse(json, id + "/" + BlockMeta.FILE);
            Map<String, BlockMeta.FileEntry> expected = meta.thanosSection().map(BlockMeta.Thanos::files).orElse(List.of()).stream()
                    .collect(Collectors.toMap(BlockMeta.FileEntry::path, Function.identity(), (a, b) -> b));
            Files.createDirectories(directory.resolve(BlockFiles.CHUNKS));
            Files.deleteIfExists(directory.resolve(BlockMeta.FILE));
            List<String> paths = new ArrayList<>();
            bucket.listRecursive(id.toString(), object -> {
                String path = object.key().substring(Ulid.LENGTH + 1);
                if (path.equals(BlockFiles.INDEX)
                        || path.startsWith(BlockFiles.CHUNKS + "/")
                                && BlockFiles.SEGMENT.matcher(path.substring(BlockFiles.CHUNKS.length() + 1)).matches()) {
                    paths.add(path);
                }
            });
            for (String path : expected.keySet()) {
                if (!paths.contains(path) && !path.equals(BlockMeta.FILE)) {
                    throw new CorruptDataException(id + "/" + path, -1, "is listed in meta.json but not in the bucket");
                }
            }
            if (!paths.contains(BlockFiles.INDEX)) {
                throw new CorruptDataException(id + "/" + BlockFiles.INDEX, -1, "a block needs an index, the bucket has none");
            }
            deleteStrangers(directory, paths);
            List<Callable<Void>> steps = new ArrayList<>();
            for (String path : paths) {
                steps.add(() -> {
                    fetch(id, path, directory, expected.getOrDefault(path, new BlockMeta.FileEntry(path, 0)));
                    return null;
                });
            }
            Parallel.run(concurrency, "download of block " + id, steps);
            Files.write(directory.resolve(BlockMeta.FILE), json);
            return meta;
        } catch (IOException e) {
            throw new UnavailableException("download of block " + id + " to " + directory + ": " + e, e);
        }
    }

    private byte[] meta(Ulid id) throws IOException {
        String key = id + "/" + BlockMeta.FILE;
        try (InputStream in = bucket.open(key)) {
            byte[] json = in.readNBytes(MAX_META_BYTES + 1);
            if (json.length > MAX_META_BYTES) {
                throw new CorruptDataException(key, 0, "is larger than " + MAX_META_BYTES + " bytes");
            }
            return json;
        } catch (NoSuchObjectException e) {
            throw new UnavailableException("download of block " + id + ": it has no meta.json (any more)", e);
        }
    }

    private static void deleteStrangers(Path directory, List<String> paths) throws IOException {
        for (String segment : BlockFiles.segments(directory)) {
            if (!paths.contains(BlockFiles.CHUNKS + "/" + segment)) {
                Files.delete(directory.resolve(BlockFiles.CHUNKS).resolve(segment));
            }
        }
    }

    private void fetch(Ulid id, String path, Path directory, BlockMeta.FileEntry expected) throws IOException {
        Path target = directory.resolve(path);
        boolean hashed = expected.hashFunction().equals(BlockFiles.Sha256.NAME);
        if (hashed && Files.exists(target) && BlockFiles.Sha256.of(target).equals(expected.hash())) {
            return;
        }
        Path temporary = target.resolveSibling(target.getFileName() + ".tmp");
        MessageDigest digest = BlockFiles.Sha256.digest();
        long size;
        try (InputStream in = bucket.open(id + "/" + path);
                OutputStream out = hashed
                        ? new DigestOutputStream(Files.newOutputStream(temporary), digest)
                        : Files.newOutputStream(temporary)) {
            size = in.transferTo(out);
        } catch (NoSuchObjectException e) {
            throw new UnavailableException("download of block " + id + ": " + e.getMessage() + " (any more)", e);
        }
        if (expected.sizeBytes() > 0 && size != expected.sizeBytes()) {
            throw new CorruptDataException(id + "/" + path, -1, "has " + size + " bytes, meta.json says " + expected.sizeBytes());
        }
        if (hashed && !BlockFiles.Sha256.hex(digest).equals(expected.hash())) {
            throw new CorruptDataException(id + "/" + path, -1, "has another SHA-256 than meta.json says");
        }
        Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING);
    }
}
