package io.varve.objstore;

import io.varve.model.UnavailableException;
import io.varve.model.Utf8Order;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.Consumer;

/** A bucket in memory, for tests and simulations. Safe for many threads; what is listed is a moment's view of each key. */
public final class MemoryBucket implements Bucket {
    private record Stored(byte[] bytes, long lastModifiedMillis) {
    }

    private final String name;
    private final Clock clock;
    private final NavigableMap<String, Stored> objects = new ConcurrentSkipListMap<>(Utf8Order::compare);

    /** An empty bucket whose objects carry the system's time. */
    public MemoryBucket(String name) {
        this(name, Clock.systemUTC());
    }

    /** An empty bucket whose objects carry the time of {@code clock}. */
    public MemoryBucket(String name, Clock clock) {
        this.name = name;
        this.clock = clock;
    }

    @Override
    public InputStream open(String key) throws NoSuchObjectException {
        return new ByteArrayInputStream(get(key).bytes);
    }

    @Override
    public byte[] readRange(String key, long offset, int length) throws NoSuchObjectException {
        byte[] bytes = get(key).bytes;
        int from = (int) Math.min(Ranges.check(key, offset, length), bytes.length);
        return Arrays.copyOfRange(bytes, from, from + Math.min(length, bytes.length - from));
    }

    @Override
    public Optional<ObjectAttributes> find(String key) {
        Stored stored = objects.get(Keys.object(key));
        return stored == null ? Optional.empty() : Optional.of(new ObjectAttributes(key, stored.bytes.length, stored.lastModifiedMillis));
    }

    @Override
    public void list(String prefix, Consumer<String> keys) {
        String dir = prefix.isEmpty() ? "" : Keys.prefix(prefix) + "/";
        TreeSet<String> found = new TreeSet<>(Utf8Order::compare);
        for (String key : under(dir)) {
            int slash = key.indexOf('/', dir.length());
            found.add(slash < 0 ? key : key.substring(0, slash + 1));
        }
        found.forEach(keys);
    }

    @Override
    public void listRecursive(String prefix, List<String> cuts, Consumer<ObjectAttributes> each) {
        String dir = prefix.isEmpty() ? "" : Keys.prefix(prefix) + "/";
        for (String key : under(dir)) {
            find(key).ifPresent(each);
        }
    }

    private List<String> under(String dir) {
        List<String> keys = new ArrayList<>();
        for (String key : objects.tailMap(dir, true).keySet()) {
            if (!key.startsWith(dir)) {
                break;
            }
            keys.add(key);
        }
        return keys;
    }

    @Override
    public void upload(String key, ObjectBody body) {
        Keys.object(key);
        byte[] bytes;
        try (InputStream in = body.open()) {
            // A body may be longer than it says; one byte more tells.
            bytes = in.readNBytes((int) Math.min(body.size() + 1, Integer.MAX_VALUE - 8));
        } catch (IOException e) {
            throw new UnavailableException("upload " + key + " to " + name + ": " + e.getMessage(), e);
        }
        Ranges.checkUploaded(name, key, body.size(), bytes.length);
        objects.put(key, new Stored(bytes, clock.millis()));
    }

    @Override
    public void delete(String key) {
        objects.remove(Keys.object(key));
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public void close() {
    }

    private Stored get(String key) throws NoSuchObjectException {
        Stored stored = objects.get(Keys.object(key));
        if (stored == null) {
            throw new NoSuchObjectException(key);
        }
        return stored;
    }
}
