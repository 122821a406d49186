package io.varve.storegateway;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileStore;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Bytes of objects on local disk, up to a hard cap, or less where the disk is smaller: a twentieth of it, 16 MiB to 1 GiB, stays free for
 * index headers and for others. Whatever ranges were fetched are kept, exactly. An object is kept in extents of 16 MiB, each a
 * sparse file; the extent that was not used for longest goes first. A file begins with a page that lists the ranges it holds, first and last
 * place of 4 bytes each, up to one that is empty: so a new process goes on with what the one before had, in whichever way that ended. Objects never
 * change, so nothing is ever stale; readers check checksums and drop what does not fit. Safe for many threads.
 */
final class PageCache {
    static final int EXTENT = 16 << 20;
    private static final int DISK_BLOCK = 4096;
    /** What a file begins with, in place of a range. */
    private static final long MAGIC = 0x76617276_70616765L;
    /** Bytes of a range in the list. */
    private static final int LISTED_BYTES = 8;
    /** Bytes before those of the object. */
    private static final int HEAD = DISK_BLOCK;
    /** Ranges that the list has room for. */
    static final int MOST_LISTED = HEAD / LISTED_BYTES - 1;
    private static final Logger LOG = LoggerFactory.getLogger(PageCache.class);

    private static final long LEAST_FREE = 16 << 20;
    private static final long MOST_FREE = 1 << 30;
    private static final long SHARE_FREE = 20;
    /** Between two lines of the log about a disk that is full or fails. */
    private static final long QUIET_NANOS = 60_000_000_000L;

    private record Key(String object, int extent) {
    }

    /**
     * The disk that the cache is on.
     *
     * @param usable bytes that can still be written
     * @param keepFree how many of them the cache leaves alone
     */
    record Disk(LongSupplier usable, long keepFree) {
        private static Disk of(Path directory) throws IOException {
            FileStore store = Files.getFileStore(directory);
            LongSupplier usable = () -> {
                try {
                    return store.getUsableSpace();
                } catch (IOException e) {
                    return Long.MAX_VALUE; // it does not say: writing will tell
                }
            };
            return new Disk(usable, Math.clamp(store.getTotalSpace() / SHARE_FREE, LEAST_FREE, MOST_FREE));
        }
    }

    /** One file. Its lock guards the intervals; the cache's lock guards the order and the sum. */
    private static final class Extent {
        final Path file;
        int[] starts = new int[4];
        int[] ends = new int[4];
        int size;
        /** Ranges that the file lists. */
        int listed;
        long bytes;
        boolean gone;

        Extent(Path file) {
            this.file = file;
        }

        /** Index of the interval that holds {@code at} or ends there, else of the first after. */
        int find(int at) {
            int i = Arrays.binarySearch(starts, 0, size, at);
            if (i >= 0) {
                return i;
            }
            int before = -i - 2;
            return before >= 0 && ends[before] >= at ? before : before + 1;
        }

        boolean has(int from, int to) {
            int i = find(from);
            return i < size && starts[i] <= from && ends[i] >= to;
        }

        void insert(int from, int to) {
            int first = find(from);
            int last = first;
            int newFrom = from;
            int newTo = to;
            while (last < size && starts[last] <= to) {
                newFrom = Math.min(newFrom, starts[last]);
                newTo = Math.max(newTo, ends[last]);
                last++;
            }
            int removed = last - first;
            if (size - removed + 1 > starts.length) {
                starts = Arrays.copyOf(starts, starts.length * 2);
                ends = Arrays.copyOf(ends, ends.length * 2);
            }
            System.arraycopy(starts, last, starts, first + 1, size - last);
            System.arraycopy(ends, last, ends, first + 1, size - last);
            size += 1 - removed;
            starts[first] = newFrom;
            ends[first] = newTo;
        }

        /** Works out the bytes on disk. */
        void measure() {
            long sum = HEAD;
            for (int i = 0; i < size; i++) {
                sum += (ends[i] + DISK_BLOCK - 1L) / DISK_BLOCK * DISK_BLOCK - starts[i] / DISK_BLOCK * (long) DISK_BLOCK;
            }
            bytes = sum;
        }
    }

    private final Path directory;
    private final long capacity;
    private final Disk disk;
    private final AtomicLong complained = new AtomicLong(System.nanoTime() - QUIET_NANOS);
    private final AtomicLong failedWrites = new AtomicLong();
    private final LinkedHashMap<Key, Extent> extents = new LinkedHashMap<>(64, 0.75f, true);
    private long used;
    private long evictions;

    /**
     * @param directory made if it is not there; files in it that are not extents are deleted
     * @param capacity bytes on disk at most
     */
    PageCache(Path directory, long capacity) {
        this(directory, capacity, null);
    }

    /** @param disk null for the one that it is on */
    PageCache(Path directory, long capacity, @Nullable Disk disk) {
        this.directory = directory;
        this.capacity = capacity;
        try {
            Files.createDirectories(directory);
            this.disk = disk != null ? disk : Disk.of(directory);
            adopt();
        } catch (IOException e) {
            throw new io.varve.model.UnavailableException("open page cache " + directory + ": " + e, e);
        }
    }

    /** Where it is. */
    Path directory() {
        return directory;
    }

    /** Bytes on disk. */
    long used() {
        synchronized (extents) {
            return used;
        }
    }

    /** Bytes on disk at most. */
    long capacity() {
        return capacity;
    }

    /** Bytes that it may hold as the disk is now: the capacity or less. */
    long room() {
        return Math.min(capacity, used() + Math.max(0, disk.usable.getAsLong() - disk.keepFree));
    }

    /** Extents that had to go. */
    long evictions() {
        synchronized (extents) {
            return evictions;
        }
    }

    /** Puts that failed, or for which the disk had no room. */
    long failedWrites() {
        return failedWrites.get();
    }

    /** Below a directory for the block: the object's name with + for /, and the number of the extent. */
    private Path path(Key key) {
        return directory.resolve(key.object.substring(0, Math.min(26, key.object.length())))
                .resolve(key.object.replace('/', '+') + '.' + key.extent);
    }

    /** A file that was found. */
    private record Old(Path file, long usedMillis) {
    }

    private void adopt() throws IOException {
        List<Old> found = new ArrayList<>();
        Files.walkFileTree(directory, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                found.add(new Old(file, attributes.lastModifiedTime().toMillis()));
                return FileVisitResult.CONTINUE;
            }
        });
        // When an extent was last read is not known any more; when it was last written is.
        found.sort(Comparator.comparingLong(Old::usedMillis));
        for (Old old : found) {
            Key key = key(old.file.getFileName().toString());
            Extent e = new Extent(old.file);
            if (key != null && list(e)) {
                extents.put(key, e);
                used += e.bytes;
            } else {
                Files.delete(old.file);
            }
        }
        evict();
    }

    private static @Nullable Key key(String file) {
        int dot = file.lastIndexOf('.');
        try {
            int extent = Integer.parseInt(file, dot + 1, file.length(), 10);
            return dot > 0 && extent >= 0 ? new Key(file.substring(0, dot).replace('+', '/'), extent) : null;
        } catch (NumberFormatException e) {
            return null;
        }
    }

    /** Reads what a file says it holds; false where it is not one of ours. */
    private static boolean list(Extent e) throws IOException {
        try (FileChannel channel = FileChannel.open(e.file, StandardOpenOption.READ)) {
            ByteBuffer list = ByteBuffer.allocate(HEAD);
            while (list.hasRemaining()) {
                if (channel.read(list, list.position()) < 0) {
                    return false;
                }
            }
            list.flip();
            if (list.getLong() != MAGIC) {
                return false;
            }
            while (list.hasRemaining()) {
                int from = list.getInt();
                int to = list.getInt();
                if (to == 0) {
                    break;
                }
                if (from < 0 || to <= from || to > EXTENT || HEAD + to > channel.size()) {
                    return false;
                }
                e.insert(from, to);
                e.listed++;
            }
            e.measure();
            return e.listed > 0;
        }
    }

    private @Nullable Extent get(String object, int extent) {
        synchronized (extents) {
            return extents.get(new Key(object, extent));
        }
    }

    /** Adds to {@code missing} what of {@code [start, end)} is not here. */
    void missing(String object, long start, long end, Ranges missing) {
        for (long at = start; at < end;) {
            int extent = (int) (at / EXTENT);
            long base = (long) extent * EXTENT;
            long stop = Math.min(end, base + EXTENT);
            Extent e = get(object, extent);
            if (e == null) {
                missing.add(at, stop);
            } else {
                synchronized (e) {
                    long p = at;
                    int i = e.find((int) (at - base));
                    while (p < stop) {
                        if (i >= e.size || base + e.starts[i] >= stop) {
                            missing.add(p, stop);
                            break;
                        }
                        missing.add(p, base + e.starts[i]);
                        p = Math.max(p, base + e.ends[i]);
                        i++;
                    }
                }
            }
            at = stop;
        }
    }

    /** Whether all of {@code [start, end)} is here. */
    boolean has(String object, long start, long end) {
        Ranges r = new Ranges();
        missing(object, start, end, r);
        return r.isEmpty();
    }

    /** Reads where all of it is here; false where it is not, or not any more. */
    boolean read(String object, long offset, byte[] into, int at, int length) {
        int done = 0;
        while (done < length) {
            int extent = (int) ((offset + done) / EXTENT);
            int from = (int) (offset + done - (long) extent * EXTENT);
            int n = Math.min(length - done, EXTENT - from);
            Extent e = get(object, extent);
            if (e == null) {
                return false;
            }
            Path file;
            synchronized (e) {
                if (e.gone || !e.has(from, from + n)) {
                    return false;
                }
                file = e.file;
            }
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                ByteBuffer buffer = ByteBuffer.wrap(into, at + done, n);
                while (buffer.hasRemaining()) {
                    int k = channel.read(buffer, HEAD + from + (n - buffer.remaining()));
                    if (k < 0) {
                        return false;
                    }
                }
            } catch (IOException gone) {
                return false;
            }
            synchronized (e) {
                // What was opened may be another extent's by now, in a file of the same name that holds other ranges.
                if (e.gone) {
                    return false;
                }
            }
            done += n;
        }
        return true;
    }

    /** Keeps bytes. A disk that fails costs the cache, not the reader. */
    void put(String object, long offset, byte[] data) {
        if (data.length > capacity) {
            return;
        }
        long wanted = data.length + disk.keepFree;
        makeRoom(wanted);
        if (disk.usable.getAsLong() < wanted) {
            failed(object, "the disk has no room: " + (wanted >> 20)
                    + " MiB would have to be free, and --store.disk-cache-size is not what fills it");
            return;
        }
        int done = 0;
        while (done < data.length) {
            int extent = (int) ((offset + done) / EXTENT);
            int from = (int) (offset + done - (long) extent * EXTENT);
            int n = Math.min(data.length - done, EXTENT - from);
            try {
                write(object, extent, from, data, done, n);
            } catch (IOException e) {
                failed(object, e.toString());
                drop(object);
                return;
            }
            done += n;
        }
        synchronized (extents) {
            evict();
        }
    }

    /**
     * Gives up what was not used for longest where the disk has less than {@code bytes} left, as much as that takes.
     *
     * @return whether anything went, so that a write which failed may succeed now
     */
    boolean makeRoom(long bytes) {
        if (disk.usable.getAsLong() >= bytes) {
            return false;
        }
        synchronized (extents) {
            // By what the files hold, not by what the disk says after each: some tell later.
            long missing = bytes - disk.usable.getAsLong();
            long before = used;
            shrink(Math.max(0, used - missing));
            return used < before;
        }
    }

    private void failed(String object, String why) {
        long n = failedWrites.incrementAndGet();
        long last = complained.get();
        if (System.nanoTime() - last >= QUIET_NANOS && complained.compareAndSet(last, System.nanoTime())) {
            LOG.atWarn().addKeyValue("object", object).addKeyValue("failed", n).addKeyValue("err", why)
                    .log("page cache cannot be written; said once a minute");
        }
    }

    private void write(String object, int extent, int from, byte[] data, int at, int n) throws IOException {
        Extent e;
        synchronized (extents) {
            e = extents.computeIfAbsent(new Key(object, extent), k -> new Extent(path(k)));
        }
        long before;
        long after;
        synchronized (e) {
            if (e.gone || e.has(from, from + n)) {
                return;
            }
            Files.createDirectories(e.file.getParent());
            try (FileChannel channel = e.listed == 0
                    ? FileChannel.open(e.file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)
                    : FileChannel.open(e.file, StandardOpenOption.WRITE)) {
                ByteBuffer buffer = ByteBuffer.wrap(data, at, n);
                while (buffer.hasRemaining()) {
                    channel.write(buffer, HEAD + from + (n - buffer.remaining()));
                }
                e.insert(from, from + n);
                list(e, from, from + n, channel);
            }
            before = e.bytes;
            e.measure();
            after = e.bytes;
        }
        synchronized (extents) {
            // Also where it has gone since: what it took off then has all of its bytes, these among them.
            used += after - before;
        }
    }

    /** Says in the file that it holds a range now. */
    private static void list(Extent e, int from, int to, FileChannel channel) throws IOException {
        ByteBuffer list = ByteBuffer.allocate(HEAD);
        long place = 0;
        if (e.listed == 0) {
            list.putLong(MAGIC).putInt(from).putInt(to).position(HEAD);
            e.listed = 1;
        } else if (e.listed < MOST_LISTED) {
            list.putInt(from).putInt(to);
            place = LISTED_BYTES * (1L + e.listed++);
        } else if (e.size < MOST_LISTED) {
            // Those that lie together are one. Whichever half of this is written: what the list says is there.
            list.putLong(MAGIC);
            for (int i = 0; i < e.size; i++) {
                list.putInt(e.starts[i]).putInt(e.ends[i]);
            }
            list.position(HEAD);
            e.listed = e.size;
        } else {
            // Known to this process alone.
            return;
        }
        list.flip();
        while (list.hasRemaining()) {
            place += channel.write(list, place);
        }
    }

    /** Forgets an object: its bytes proved to be damaged, or its block is gone. False where nothing was known of it. */
    boolean drop(String object) {
        boolean dropped = false;
        synchronized (extents) {
            for (Iterator<Map.Entry<Key, Extent>> i = extents.entrySet().iterator(); i.hasNext();) {
                Map.Entry<Key, Extent> e = i.next();
                if (e.getKey().object.equals(object)) {
                    i.remove();
                    remove(e.getValue());
                    dropped = true;
                }
            }
        }
        return dropped;
    }

    /** Forgets all objects of a block. */
    void dropBlock(String block) {
        synchronized (extents) {
            for (Iterator<Map.Entry<Key, Extent>> i = extents.entrySet().iterator(); i.hasNext();) {
                Map.Entry<Key, Extent> e = i.next();
                if (e.getKey().object.startsWith(block)) {
                    i.remove();
                    remove(e.getValue());
                }
            }
            try {
                Files.deleteIfExists(directory.resolve(block));
            } catch (IOException e) {
                LOG.atDebug().addKeyValue("block", block).addKeyValue("err", e.toString()).log("directory stays");
            }
        }
    }

    /** The blocks that something is kept of. */
    List<String> blocks() {
        synchronized (extents) {
            return extents.keySet().stream().map(k -> k.object.substring(0, Math.min(26, k.object.length()))).distinct().toList();
        }
    }

    private void remove(Extent e) {
        synchronized (e) {
            e.gone = true;
            used -= e.bytes;
            try {
                Files.deleteIfExists(e.file);
            } catch (IOException x) {
                LOG.atWarn().addKeyValue("file", e.file).addKeyValue("err", x.toString()).log("page cache file cannot be deleted");
            }
        }
    }

    private void evict() {
        shrink(capacity);
    }

    private void shrink(long target) {
        Iterator<Extent> oldest = extents.values().iterator();
        while (used > target && oldest.hasNext()) {
            Extent e = oldest.next();
            oldest.remove();
            remove(e);
            evictions++;
        }
    }
}
