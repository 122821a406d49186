package io.varve.objstore;

import io.varve.model.UnavailableException;
import java.io.InputStream;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Reads a bucket. Keys are {@code /}-separated without a leading slash. Safe for many threads; calls block (use virtual threads)
 * and honour interruption. Failures other than absence are {@link UnavailableException}s that name operation and key.
 */
public interface BucketReader extends AutoCloseable {
    /** What is listed or found: size in bytes, and last change in epoch milliseconds. */
    record ObjectAttributes(String key, long size, long lastModifiedMillis) {
    }

    /**
     * The whole object as a stream that the caller closes.
     *
     * @throws NoSuchObjectException where it is not there
     */
    InputStream open(String key) throws NoSuchObjectException;

    /**
     * {@code length} bytes from {@code offset}; fewer only where the object ends before.
     *
     * @throws NoSuchObjectException where it is not there
     */
    byte[] readRange(String key, long offset, int length) throws NoSuchObjectException;

    /** Size and time of an object, empty where it is not there. */
    Optional<ObjectAttributes> find(String key);

    /**
     * Lists what lies directly under {@code prefix} (""= root, else without trailing slash) in byte order: object keys whole, and
     * directories ending in {@code /}.
     */
    void list(String prefix, Consumer<String> keys);

    /** Lists all objects under {@code prefix}, at any depth, in byte order. */
    default void listRecursive(String prefix, Consumer<ObjectAttributes> objects) {
        listRecursive(prefix, List.of(), objects);
    }

    /**
     * As {@link #listRecursive(String, Consumer)}, for who knows about where pages of the listing will begin: a store that answers in pages can then
     * ask for many at a time. What is listed and its order do not depend on it.
     *
     * @param cuts where pages begin: keys under {@code prefix}, or what keys begin with, in byte order, a page or a little less apart; keys of
     *            directories end in {@code /}
     */
    void listRecursive(String prefix, List<String> cuts, Consumer<ObjectAttributes> objects);

    /** The name for logs and metrics: the bucket's, or the directory's. */
    String name();

    @Override
    void close();
}
