package io.varve.storegateway;

import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.objstore.BucketReader;
import io.varve.objstore.NoSuchObjectException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * Reads ranges of objects: from the page cache where they are in it, from the bucket otherwise, never the same range twice at a time. So
 * many requests and so many bytes are under way at most, over all queries. Safe for many threads.
 */
final class ObjectReader {
    /** Bytes that are looked at in one piece. */
    static final int MAX_PART = 16 << 20;
    /** The greatest single request; less where few bytes may be under way. */
    private static final int MAX_REQUEST = 40 << 20;
    /** Ranges closer than this are always read as one. */
    static final long GAP = 64 << 10;
    /** Ranges are read as one up to this distance where the query would have too many otherwise. */
    static final long WIDE_GAP = 512 << 10;
    /** The same where a block alone would have too many: what a request costs, in bytes. */
    static final long MAX_GAP = 2 << 20;
    /** Above so many requests for what a query reads in a round, bytes are traded for requests. */
    static final int WANTED_REQUESTS = 16;

    private final BucketReader bucket;
    private final @Nullable PageCache pages;
    private final Semaphore requests;
    private final Semaphore inFlightKib;
    private final int inFlightKibMax;
    private final int requestBytes;
    private final ConcurrentMap<Part, CompletableFuture<byte[]>> underWay = new ConcurrentHashMap<>();

    private record Part(String key, long start, long end) {
    }

    /** A run of an object's bytes in memory; {@code data[0]} is the byte at {@code offset}. */
    record Slice(long offset, byte[] data) {
        long end() {
            return offset + data.length;
        }

        int at(long objectOffset) {
            return (int) (objectOffset - offset);
        }
    }

    /**
     * @param bucket where objects are
     * @param pages what was read before, null where nothing is kept
     * @param concurrency requests under way at most
     * @param inFlightBytes bytes under way at most
     */
    ObjectReader(BucketReader bucket, @Nullable PageCache pages, int concurrency, long inFlightBytes) {
        this.bucket = bucket;
        this.pages = pages;
        this.requests = new Semaphore(Math.max(1, concurrency), true);
        this.inFlightKibMax = Math.clamp(inFlightBytes >> 10, MAX_PART >> 10, Integer.MAX_VALUE);
        this.inFlightKib = new Semaphore(inFlightKibMax, true);
        this.requestBytes = Math.clamp(inFlightBytes / 4, MAX_PART, MAX_REQUEST);
    }

    /** Whether fetched bytes stay at hand, so that reading ahead makes sense. */
    boolean caches() {
        return pages != null && pages.room() > 0;
    }

    /** Bytes that reading ahead may fill without pushing itself out. */
    long readAheadBytes() {
        return pages == null ? 0 : pages.room() / 4;
    }

    /** Whether all of a range is on the local disk. */
    boolean isLocal(String key, long start, long end) {
        return pages != null && pages.has(key, start, end);
    }

    /** Forgets what is cached of an object; false where that is nothing. */
    boolean drop(String key) {
        return pages != null && pages.drop(key);
    }

    /** Gives up what is cached until the disk has {@code bytes} left; false where that is nothing, or where it has them. */
    boolean makeRoom(long bytes) {
        return pages != null && pages.makeRoom(bytes);
    }

    /** What of the ranges has to be fetched. */
    Ranges missing(String key, Ranges wanted) {
        if (pages == null) {
            return wanted;
        }
        Ranges out = new Ranges();
        for (int i = 0; i < wanted.size(); i++) {
            pages.missing(key, wanted.start(i), wanted.end(i), out);
        }
        return out;
    }

    /**
     * The requests that ranges cost: what is missing, joined and cut.
     *
     * @param limit the object's size; nothing is read beyond
     */
    Ranges plan(String key, Ranges wanted, long limit) {
        return plan(key, wanted, limit, 1);
    }

    /** The same for one of so many blocks of a query. */
    Ranges plan(String key, Ranges wanted, long limit, int blocks) {
        return plan(List.of(key), List.of(wanted), new long[]{limit}, blocks).getFirst();
    }

    /** The same for objects of a block that are read together and share what requests may cost. */
    List<Ranges> plan(List<String> keys, List<Ranges> wanted, long[] limits, int blocks) {
        List<Ranges> missing = new ArrayList<>(keys.size());
        for (int k = 0; k < limits.length; k++) {
            missing.add(missing(keys.get(k), wanted.get(k)).below(limits[k]));
        }
        return requests(missing, blocks);
    }

    private List<Ranges> requests(List<Ranges> missing, int blocks) {
        List<Ranges> few = Ranges.planned(missing, GAP, WIDE_GAP, Math.max(1, WANTED_REQUESTS / Math.max(1, blocks)));
        return Ranges.planned(few, 0, MAX_GAP, WANTED_REQUESTS).stream().map(r -> r.cutEvenly(requestBytes)).toList();
    }

    /** Starts a request. The future's array is at most {@code length} bytes long, shorter where the object ends. */
    CompletableFuture<byte[]> fetch(String key, long start, long end, ReadStats stats, ReadStats.Kind kind) {
        Part part = new Part(key, start, end);
        CompletableFuture<byte[]> mine = new CompletableFuture<>();
        CompletableFuture<byte[]> other = underWay.putIfAbsent(part, mine);
        if (other != null) {
            return other;
        }
        Thread.ofVirtual().name("fetch " + key).start(() -> {
            try {
                byte[] bytes = get(key, start, end);
                stats.fetched(kind, bytes.length);
                if (pages != null && bytes.length > 0) {
                    pages.put(key, start, bytes);
                }
                underWay.remove(part, mine);
                mine.complete(bytes);
            } catch (Throwable e) {
                underWay.remove(part, mine);
                mine.completeExceptionally(e);
            }
        });
        return mine;
    }

    private byte[] get(String key, long start, long end) throws NoSuchObjectException, InterruptedException {
        int length = Math.toIntExact(end - start);
        int kib = Math.min(inFlightKibMax, (length >> 10) + 1);
        inFlightKib.acquire(kib);
        try {
            requests.acquire();
            try {
                return bucket.readRange(key, start, length);
            } finally {
                requests.release();
            }
        } finally {
            inFlightKib.release(kib);
        }
    }

    /**
     * Waits for a fetch.
     *
     * @throws CorruptDataException where the object is not there
     * @throws VarveException where it cannot be read
     */
    static <T> T await(CompletableFuture<T> fetch, String key) {
        try {
            return fetch.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException(CancelledException.Reason.CANCELED, "context canceled");
        } catch (ExecutionException e) {
            throw failure(e.getCause() instanceof CompletionException c ? c.getCause() : e.getCause(), key);
        }
    }

    private static RuntimeException failure(@Nullable Throwable cause, String key) {
        return switch (cause) {
            case NoSuchObjectException gone -> new CorruptDataException(key, -1, "object does not exist", gone);
            // The same fault may reach several waiters: each gets the kind, with the first as its cause.
            case VarveException e -> e;
            case InterruptedException e -> new UnavailableException("read " + key + ": interrupted", e);
            case null -> new UnavailableException("read " + key + " failed");
            default -> new UnavailableException("read " + key + ": " + cause, cause);
        };
    }

    /**
     * The bytes of a range, from the cache or the bucket.
     *
     * @throws CorruptDataException where the object is not there or ends before
     */
    byte[] read(String key, long start, int length, ReadStats stats, ReadStats.Kind kind) {
        byte[] out = new byte[length];
        if (pages != null && pages.read(key, start, out, 0, length)) {
            return out;
        }
        if (pages == null || length > MAX_PART) {
            return readParts(key, start, length, stats, kind);
        }
        // Only what is not there is fetched.
        Ranges missing = new Ranges();
        pages.missing(key, start, start + length, missing);
        if (!missing.isEmpty()) {
            fetchAll(key, missing.joined(GAP).cut(MAX_PART), stats, kind);
            if (pages.read(key, start, out, 0, length)) {
                return out;
            }
        }
        // The cache is too small or its disk is full.
        return readParts(key, start, length, stats, kind);
    }

    private byte[] readParts(String key, long start, int length, ReadStats stats, ReadStats.Kind kind) {
        if (length <= MAX_PART) {
            return whole(await(fetch(key, start, start + length, stats, kind), key), key, start, length);
        }
        byte[] out = new byte[length];
        for (int at = 0; at < length;) {
            int n = Math.min(MAX_PART, length - at);
            byte[] part = whole(await(fetch(key, start + at, start + at + n, stats, kind), key), key, start + at, n);
            System.arraycopy(part, 0, out, at, n);
            at += n;
        }
        return out;
    }

    private static byte[] whole(byte[] bytes, String key, long start, int length) {
        whole(bytes.length, key, start, length);
        return bytes;
    }

    private static void whole(int there, String key, long start, int length) {
        if (there < length) {
            throw new CorruptDataException(key, start, "object ends " + there + " bytes after this place, " + length + " were expected");
        }
    }

    /** Starts a request whose bytes are wanted in the page cache only, not in memory until somebody looks. The future has their number. */
    CompletableFuture<Integer> fetchToDisk(String key, long start, long end, ReadStats stats, ReadStats.Kind kind) {
        return fetch(key, start, end, stats, kind).thenApply(b -> b.length);
    }

    /** Fetches ranges side by side into the page cache and waits for all. */
    void fetchAll(String key, Ranges parts, ReadStats stats, ReadStats.Kind kind) {
        List<CompletableFuture<Integer>> all = new ArrayList<>(parts.size());
        for (int i = 0; i < parts.size(); i++) {
            all.add(fetchToDisk(key, parts.start(i), parts.end(i), stats, kind));
        }
        for (int i = 0; i < all.size(); i++) {
            whole(await(all.get(i), key), key, parts.start(i), parts.length(i));
        }
    }

    /**
     * The bytes of many ranges, as slices that cover them, sorted. Missing ones are fetched side by side.
     *
     * @param limit the object's size, −1 where it is not known
     */
    List<Slice> readAll(String key, Ranges wanted, long limit, ReadStats stats, ReadStats.Kind kind) {
        Ranges within = wanted.joined(0).below(limit);
        if (pages == null) {
            return readFromBucket(key, within, stats, kind);
        }
        // From a local disk a small gap costs more as a second read than as bytes.
        Ranges local = within.joined(DISK_GAP);
        List<Slice> out = new ArrayList<>(local.size());
        Ranges absent = new Ranges();
        boolean isFetched = false;
        for (int i = 0; i < local.size(); i++) {
            long start = local.start(i);
            byte[] bytes = new byte[local.length(i)];
            boolean isThere = pages.read(key, start, bytes, 0, bytes.length);
            if (!isThere && !isFetched) {
                // What is missing of all, at once.
                isFetched = true;
                fetchAll(key, plan(key, within, limit), stats, kind);
                isThere = pages.read(key, start, bytes, 0, bytes.length);
            }
            if (isThere) {
                out.add(new Slice(start, bytes));
            } else {
                absent.add(start, local.end(i));
            }
        }
        if (!absent.isEmpty()) {
            readWithoutGaps(key, within.within(absent), out, stats, kind);
            out.sort(Comparator.comparingLong(Slice::offset));
        }
        return out;
    }

    private static final long DISK_GAP = 4 << 10;

    /**
     * Reads exactly what is wanted, of runs whose gaps are not at hand or which the cache had no room for. What lies in a gap must not look
     * as if it were there: an entry may be longer than was thought.
     */
    private void readWithoutGaps(String key, Ranges wanted, List<Slice> out, ReadStats stats, ReadStats.Kind kind) {
        Ranges absent = new Ranges();
        for (int i = 0; i < wanted.size(); i++) {
            byte[] bytes = new byte[wanted.length(i)];
            if (pages != null && pages.read(key, wanted.start(i), bytes, 0, bytes.length)) {
                out.add(new Slice(wanted.start(i), bytes));
            } else {
                absent.add(wanted.start(i), wanted.end(i));
            }
        }
        List<Slice> fetched = readFromBucket(key, absent, stats, kind);
        for (int i = 0; i < absent.size(); i++) {
            Slice s = Objects.requireNonNull(find(fetched, absent.start(i)));
            // No slice may lie over one that was read from the disk.
            out.add(new Slice(absent.start(i), Arrays.copyOfRange(s.data, s.at(absent.start(i)), s.at(absent.end(i)))));
        }
    }

    private List<Slice> readFromBucket(String key, Ranges wanted, ReadStats stats, ReadStats.Kind kind) {
        Ranges parts = requests(List.of(wanted), 1).getFirst();
        List<CompletableFuture<byte[]>> all = new ArrayList<>(parts.size());
        for (int i = 0; i < parts.size(); i++) {
            all.add(fetch(key, parts.start(i), parts.end(i), stats, kind));
        }
        List<Slice> out = new ArrayList<>(parts.size());
        for (int i = 0; i < all.size(); i++) {
            byte[] bytes = whole(await(all.get(i), key), key, parts.start(i), parts.length(i));
            // Pieces that were one range before they were cut become one again, so that nothing lies across two.
            int last = out.size() - 1;
            if (last >= 0 && out.get(last).end() == parts.start(i)) {
                byte[] joined = Arrays.copyOf(out.get(last).data, Math.addExact(out.get(last).data.length, bytes.length));
                System.arraycopy(bytes, 0, joined, out.get(last).data.length, bytes.length);
                out.set(last, new Slice(out.get(last).offset, joined));
            } else {
                out.add(new Slice(parts.start(i), bytes));
            }
        }
        return out;
    }

    /** The slice that holds {@code offset}; null where none does. */
    static @Nullable Slice find(List<Slice> slices, long offset) {
        int lo = 0;
        int hi = slices.size() - 1;
        while (lo <= hi) {
            int mid = (lo + hi) >>> 1;
            Slice s = slices.get(mid);
            if (offset < s.offset) {
                hi = mid - 1;
            } else if (offset >= s.end()) {
                lo = mid + 1;
            } else {
                return s;
            }
        }
        return null;
    }
}
