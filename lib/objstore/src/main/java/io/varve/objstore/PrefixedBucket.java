package io.varve.objstore;

import java.io.InputStream;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/** The part of a bucket below a prefix, seen as a bucket of its own. Closes what it wraps. */
public final class PrefixedBucket implements Bucket {
    private final Bucket bucket;
    private final String prefix;

    private PrefixedBucket(Bucket bucket, String prefix) {
        this.bucket = bucket;
        this.prefix = prefix;
    }

    /** {@code bucket} below {@code prefix}, slashes around which do not count; {@code bucket} itself where nothing is left of it. */
    public static Bucket of(Bucket bucket, String prefix) {
        int start = 0;
        int end = prefix.length();
        while (start < end && prefix.charAt(start) == '/') {
            start++;
        }
        while (end > start && prefix.charAt(end - 1) == '/') {
            end--;
        }
        return start == end ? bucket : new PrefixedBucket(bucket, Keys.prefix(prefix.substring(start, end)) + "/");
    }

    @Override
    public InputStream open(String key) throws NoSuchObjectException {
        return bucket.open(prefix + Keys.object(key));
    }

    @Override
    public byte[] readRange(String key, long offset, int length) throws NoSuchObjectException {
        return bucket.readRange(prefix + Keys.object(key), offset, length);
    }

    @Override
    public Optional<ObjectAttributes> find(String key) {
        return bucket.find(prefix + Keys.object(key)).map(this::inside);
    }

    @Override
    public void list(String under, Consumer<String> keys) {
        bucket.list(outside(under), key -> keys.accept(key.substring(prefix.length())));
    }

    @Override
    public void listRecursive(String under, List<String> cuts, Consumer<ObjectAttributes> objects) {
        bucket.listRecursive(outside(under), cuts.stream().map(this::outside).toList(), object -> objects.accept(inside(object)));
    }

    private String outside(String under) {
        return under.isEmpty() ? prefix.substring(0, prefix.length() - 1) : prefix + under;
    }

    private ObjectAttributes inside(ObjectAttributes object) {
        return new ObjectAttributes(object.key().substring(prefix.length()), object.size(), object.lastModifiedMillis());
    }

    @Override
    public void upload(String key, ObjectBody body) {
        bucket.upload(prefix + Keys.object(key), body);
    }

    @Override
    public void delete(String key) {
        bucket.delete(prefix + Keys.object(key));
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
