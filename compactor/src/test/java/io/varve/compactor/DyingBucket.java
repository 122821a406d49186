package io.varve.compactor;

import io.varve.objstore.Bucket;
import io.varve.objstore.FilesystemBucket;
import io.varve.objstore.NoSuchObjectException;
import io.varve.objstore.ObjectBody;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A directory as a bucket for a process that ends at one operation: before it, after it, or in the midst of an upload, when the body has its
 * place among unfinished uploads (a file that is handed over its second name) and no more. Safe for many threads.
 */
final class DyingBucket implements Bucket {
    /** Where within an operation the process ends. */
    enum Point {
        BEFORE, WITHIN, AFTER
    }

    /** The simulated end of the process. */
    static final class Died extends Error {
        private static final long serialVersionUID = 1L;
    }

    /** Some work that may end as {@link #open} does. */
    private interface Operation<T> {
        T run() throws NoSuchObjectException;
    }

    private final Path root;
    private final Bucket bucket;
    private final long last;
    private final Point point;
    private final AtomicLong operations = new AtomicLong();
    private final AtomicInteger linked = new AtomicInteger();
    private volatile boolean dead;

    /** Of a process that ends at that operation, counted from 1; 0 for never. */
    DyingBucket(Path root, long last, Point point) {
        this.root = root;
        this.bucket = new FilesystemBucket(root);
        this.last = last;
        this.point = point;
    }

    long operations() {
        return operations.get();
    }

    boolean dead() {
        return dead;
    }

    /** How many uploads gave a file a second name in place of a copy. */
    int linked() {
        return linked.get();
    }

    private <T> T run(@Nullable ObjectBody body, Operation<T> operation) throws NoSuchObjectException {
        boolean now = operations.incrementAndGet() == last;
        if (dead || now && point == Point.BEFORE) {
            throw died();
        }
        if (now && point == Point.WITHIN) {
            if (body != null) {
                begin(body);
            }
            throw died();
        }
        T result = operation.run();
        if (now) {
            throw died();
        }
        return result;
    }

    private Died died() {
        dead = true;
        return new Died();
    }

    /** What an upload does before its object appears. */
    private void begin(ObjectBody body) {
        Path unfinished = root.resolve(".varve-uploads/1-dead" + operations());
        try (InputStream in = body.open()) {
            Files.createDirectories(unfinished.getParent());
            Path file = body.file();
            if (file != null && body.handedOver()) {
                Files.createLink(unfinished, file);
            } else {
                Files.write(unfinished, in.readNBytes((int) body.size() / 2));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Runs what cannot miss an object. */
    private <T> T always(@Nullable ObjectBody body, Operation<T> operation) {
        try {
            return run(body, operation);
        } catch (NoSuchObjectException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public InputStream open(String key) throws NoSuchObjectException {
        return run(null, () -> bucket.open(key));
    }

    @Override
    public byte[] readRange(String key, long offset, int length) throws NoSuchObjectException {
        return run(null, () -> bucket.readRange(key, offset, length));
    }

    @Override
    public Optional<ObjectAttributes> find(String key) {
        return always(null, () -> bucket.find(key));
    }

    @Override
    public void list(String prefix, Consumer<String> keys) {
        always(null, () -> {
            bucket.list(prefix, keys);
            return true;
        });
    }

    @Override
    public void listRecursive(String prefix, List<String> cuts, Consumer<ObjectAttributes> objects) {
        always(null, () -> {
            bucket.listRecursive(prefix, cuts, objects);
            return true;
        });
    }

    @Override
    public void upload(String key, ObjectBody body) {
        always(body, () -> {
            bucket.upload(key, body);
            Path file = body.file();
            try {
                if (file != null && Files.isSameFile(file, root.resolve(key))) {
                    linked.incrementAndGet();
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return true;
        });
    }

    @Override
    public void delete(String key) {
        always(null, () -> {
            bucket.delete(key);
            return true;
        });
    }

    @Override
    public String name() {
        return bucket.name();
    }

    @Override
    public void close() {
        bucket.close();
    }
}
