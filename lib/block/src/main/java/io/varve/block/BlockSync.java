package io.varve.block;

import io.varve.block.BlockFilter.Drop;
import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.UnavailableException;
import io.varve.objstore.BucketReader;
import io.varve.objstore.NoSuchObjectException;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes catalogs of a bucket. A sync is one recursive listing; a meta.json is fetched only when it is new or has changed, from memory or
 * the local cache otherwise; a marker only where the listing shows one. So a sync of a bucket that did not change costs the listing
 * alone. Safe for many threads; one sync at a time.
 *
 * <p>
 * Copies are kept in one file, {@code <cache directory>/metas}; a copy is used while size and time of the object are the same. Where
 * Thanos kept its copies in the directory, {@code <ULID>/meta.json}, they are taken over while their size is that of the object and they
 * are not older.
 */
public final class BlockSync {
    private static final Logger LOG = LoggerFactory.getLogger(BlockSync.class);
    private static final int MAX_META_BYTES = 128 << 20;
    private static final int MAX_MARK_BYTES = 1 << 20;
    /** What a page of a listing is meant to hold, of the 1,000 that it can: new blocks come behind the last cut, but a marker may be new anywhere. */
    private static final int PAGE_OBJECTS = 996;
    /** The first characters of an id change every twelve days. */
    private static final int EARLY = 4;
    /** So many pages of ids that begin alike have one more where they end. */
    private static final int EARLY_PAGES = 4;
    /** Of a block whose files are not known: meta.json, index, one of chunks. */
    private static final int SMALL_BLOCK_OBJECTS = 3;

    private final BucketReader bucket;
    private final @Nullable Path cacheDirectory;
    private final int concurrency;
    private final List<BlockFilter> filters;
    private final Set<BlockMark.Kind> wantedMarks;
    private final BlockMetrics metrics;
    private final LongSupplier clock;
    private final Map<Ulid, Known> known = new ConcurrentHashMap<>();
    private final Map<Ulid, Map<BlockMark.Kind, KnownMark>> knownMarks = new ConcurrentHashMap<>();
    private final @Nullable MetaCopies copies;
    private final Set<Ulid> foreignCopies = ConcurrentHashMap.newKeySet();
    private boolean copiesLoaded;
    private volatile BlockCatalog latest = BlockCatalog.EMPTY;

    /** What was read of a meta.json of that size and time: the meta, or why it cannot be used. */
    private record Known(long size, long modifiedMillis, @Nullable BlockMeta meta, @Nullable Drop fault) {
    }

    /** What was read of a marker: itself, why it says nothing, or neither where it is gone. */
    private record KnownMark(long newestMillis, @Nullable BlockMark mark, @Nullable String fault) {
    }

    /**
     * @param bucket the bucket; not closed here
     * @param cacheDirectory where metas are kept, usually {@code <data-dir>/meta-syncer}; null for nowhere
     * @param concurrency objects read at a time
     * @param filters applied in order
     * @param wantedMarks the markers that filters or callers look at
     * @param metrics where states are counted
     * @param clock milliseconds since 1970
     */
    public BlockSync(BucketReader bucket, @Nullable Path cacheDirectory, int concurrency, List<BlockFilter> filters,
            Set<BlockMark.Kind> wantedMarks, BlockMetrics metrics, LongSupplier clock) {
        this.bucket = bucket;
        this.cacheDirectory = cacheDirectory;
        this.copies = cacheDirectory == null ? null : new MetaCopies(cacheDirectory.resolve("metas"));
        this.concurrency = Math.max(1, concurrency);
        this.filters = List.copyOf(filters);
        this.wantedMarks = Set.copyOf(wantedMarks);
        this.metrics = metrics;
        this.clock = clock;
    }

    /** The catalog of the last sync that succeeded. */
    public BlockCatalog latest() {
        return latest;
    }

    /**
     * Lists the bucket and makes a new catalog. Blocks that are damaged or cannot be read are left out and named in
     * {@link BlockCatalog#dropped}; they do not fail the sync.
     *
     * @throws UnavailableException where the bucket cannot be listed
     */
    public synchronized BlockCatalog sync() {
        long start = System.nanoTime();
        metrics.syncs.inc();
        metrics.baseSyncs.inc();
        try {
            BlockCatalog catalog = make();
            latest = catalog;
            metrics.report(catalog);
            if (catalog.incomplete()) {
                metrics.failures.inc();
            }
            return catalog;
        } catch (RuntimeException e) {
            metrics.failures.inc();
            throw e;
        } finally {
            metrics.duration.observe((System.nanoTime() - start) / 1e9);
        }
    }

    private BlockCatalog make() {
        long now = clock.getAsLong();
        NavigableMap<Ulid, BlockObjects> listed = new TreeMap<>();
        NavigableMap<Ulid, BlockMeta> all = new TreeMap<>();
        NavigableMap<Ulid, BlockObjects> partial = new TreeMap<>();
        NavigableMap<Ulid, Drop> dropped = new TreeMap<>();
        Map<Ulid, Map<BlockMark.Kind, BlockMark>> marks = new HashMap<>();
        NavigableMap<Ulid, Map<BlockMark.Kind, String>> unreadable = new TreeMap<>();
        boolean incomplete = false;
        Map<Ulid, Future<Known>> metas = new TreeMap<>();
        Map<Ulid, Map<BlockMark.Kind, Future<KnownMark>>> markReads = new TreeMap<>();
        Semaphore slots = new Semaphore(concurrency);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            CompletableFuture<List<String>> cuts = new CompletableFuture<>();
            Future<?> loaded = threads.submit(() -> {
                try {
                    loadCopies(ids -> cuts.complete(cuts(ids)));
                } finally {
                    if (!cuts.isDone()) {
                        cuts.complete(cuts(known.keySet()));
                    }
                }
            });
            // A block is read while the listing goes on behind it.
            listOrStop(threads, cuts.join(), (id, objects) -> {
                await(loaded);
                listed.put(id, objects);
                if (objects.hasMeta()) {
                    Known k = known.get(id);
                    if (k == null || k.size != objects.metaSize() || k.modifiedMillis != objects.metaModifiedMillis()) {
                        metas.put(id, threads.submit(() -> limited(slots, () -> readMeta(id, objects))));
                    }
                } else {
                    partial.put(id, objects);
                    dropped.put(id, new Drop(BlockState.NO_META, "has no meta.json"));
                }
                for (BlockMark.Kind kind : wantedMarks) {
                    if (objects.has(kind)) {
                        KnownMark m = knownMarks.getOrDefault(id, Map.of()).get(kind);
                        if (m == null || m.newestMillis != objects.newestMillis()) {
                            markReads.computeIfAbsent(id, i -> new EnumMap<>(BlockMark.Kind.class)).put(kind,
                                    threads.submit(() -> limited(slots, () -> readMark(id, kind, objects))));
                        }
                    }
                }
            });
            for (Map.Entry<Ulid, Future<Known>> e : metas.entrySet()) {
                try {
                    known.put(e.getKey(), e.getValue().get());
                } catch (java.util.concurrent.ExecutionException failed) {
                    incomplete |= unreadable(e.getKey(), failed, dropped);
                    known.remove(e.getKey());
                }
            }
            for (var e : markReads.entrySet()) {
                for (var kind : e.getValue().entrySet()) {
                    try {
                        knownMarks.computeIfAbsent(e.getKey(), i -> new EnumMap<>(BlockMark.Kind.class)).put(kind.getKey(),
                                kind.getValue().get());
                    } catch (java.util.concurrent.ExecutionException failed) {
                        incomplete = true;
                        LOG.atWarn().addKeyValue("block", e.getKey()).addKeyValue("err", message(failed.getCause()))
                                .log("marker cannot be read");
                    }
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UnavailableException("sync blocks of bucket " + bucket.name() + ": interrupted", e);
        }
        if (known.keySet().retainAll(listed.keySet())) {
            metrics.cacheBusts.inc();
        }
        knownMarks.keySet().retainAll(listed.keySet());
        Map<Labels, Labels> streams = new HashMap<>();
        listed.keySet().forEach(id -> {
            Known k = known.get(id);
            if (k != null && k.meta != null) {
                all.put(id, sharingLabels(k.meta, streams));
            } else if (k != null && k.fault != null) {
                dropped.put(id, k.fault);
            }
        });
        knownMarks.forEach((id, m) -> m.forEach((kind, k) -> {
            BlockObjects objects = listed.get(id);
            if (objects == null || !objects.has(kind)) {
                return;
            }
            if (k.mark != null) {
                marks.computeIfAbsent(id, i -> new EnumMap<>(BlockMark.Kind.class)).put(kind, k.mark);
            } else if (k.fault != null) {
                unreadable.computeIfAbsent(id, i -> new EnumMap<>(BlockMark.Kind.class)).put(kind, k.fault);
            }
        }));
        NavigableMap<Ulid, BlockMeta> left = all;
        for (BlockFilter f : filters) {
            BlockFilter.Outcome outcome = f.apply(new BlockFilter.Candidates(left, marks, now));
            left = outcome.kept();
            dropped.putAll(outcome.dropped());
        }
        NavigableMap<Ulid, CatalogBlock> blocks = new TreeMap<>();
        left.forEach((id, meta) -> {
            BlockObjects objects = listed.get(id);
            if (objects != null) {
                blocks.put(id, new CatalogBlock(meta, objects));
            }
        });
        finishCopies(listed.keySet());
        return new BlockCatalog(blocks, all, partial, dropped, marks, unreadable, incomplete, now);
    }

    private interface Read<T> {
        T get() throws Exception;
    }

    private static <T> T limited(Semaphore slots, Read<T> read) throws Exception {
        slots.acquire();
        try {
            return read.get();
        } finally {
            slots.release();
        }
    }

    private static void await(Future<?> step) {
        try {
            step.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException(CancelledException.Reason.CANCELED, "sync blocks: interrupted");
        } catch (java.util.concurrent.ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }

    private void listOrStop(ExecutorService threads, List<String> cuts, BiConsumer<Ulid, BlockObjects> each) {
        try {
            list(cuts, each);
        } catch (RuntimeException e) {
            threads.shutdownNow();
            throw e;
        }
    }

    /** Lists the bucket, block by block: keys come in order, so that a block is complete when the next one begins. */
    private void list(List<String> cuts, BiConsumer<Ulid, BlockObjects> each) {
        Listing listing = new Listing(each);
        bucket.listRecursive("", cuts, listing);
        listing.flush();
    }

    /**
     * Where pages of the listing will begin, by the blocks that were there the last time. A server that keeps directories has to look at all that
     * begin as a whole page does, so a page ends where many ids that begin alike end; there are that many where this makes a page more of a few.
     */
    private List<String> cuts(Set<Ulid> before) {
        List<String> cuts = new ArrayList<>();
        String last = "";
        int objects = 0;
        int alike = 0;
        for (Ulid ulid : new TreeSet<>(before)) {
            String id = ulid.toString();
            Known k = known.get(ulid);
            BlockMeta.Thanos thanos = k == null || k.meta == null ? null : k.meta.thanos();
            int own = thanos == null || thanos.files().isEmpty() ? SMALL_BLOCK_OBJECTS : thanos.files().size();
            int same = 0;
            while (same < EARLY && same < last.length() && id.charAt(same) == last.charAt(same)) {
                same++;
            }
            boolean change = same < EARLY;
            if (objects > 0 && (objects + own > PAGE_OBJECTS || change && alike > EARLY_PAGES * PAGE_OBJECTS)) {
                cuts.add(change ? id.substring(0, same + 1) : id + "/");
                objects = 0;
            }
            objects += own;
            alike = change ? own : alike + own;
            last = id;
        }
        return cuts;
    }

    private static final class Listing implements Consumer<BucketReader.ObjectAttributes> {
        private final BiConsumer<Ulid, BlockObjects> each;
        private @Nullable Ulid current;
        private String name = "";
        private BlockObjects.Collector objects = new BlockObjects.Collector();

        Listing(BiConsumer<Ulid, BlockObjects> each) {
            this.each = each;
        }

        @Override
        public void accept(BucketReader.ObjectAttributes object) {
            String key = object.key();
            if (key.length() <= Ulid.LENGTH + 1 || key.charAt(Ulid.LENGTH) != '/') {
                return;
            }
            if (current == null || !key.startsWith(name)) {
                flush();
                name = key.substring(0, Ulid.LENGTH);
                current = Ulid.parse(name).filter(id -> id.toString().equals(name)).orElse(null);
            }
            if (current != null) {
                objects.add(key.substring(Ulid.LENGTH + 1), object);
            }
        }

        void flush() {
            Ulid id = current;
            if (id != null) {
                each.accept(id, objects.build());
                objects = new BlockObjects.Collector();
                current = null;
            }
        }
    }

    /** Files the failure; whether the block may be there the next time. */
    private static boolean unreadable(Ulid id, java.util.concurrent.ExecutionException failed, Map<Ulid, Drop> dropped) {
        Throwable cause = failed.getCause();
        if (cause instanceof NoSuchObjectException) {
            // Deleted between the listing and the read.
            dropped.put(id, new Drop(BlockState.NO_META, "meta.json is gone"));
            return false;
        }
        dropped.put(id, new Drop(BlockState.FAILED, message(cause)));
        LOG.atWarn().addKeyValue("block", id).addKeyValue("err", message(cause)).log("meta.json cannot be read");
        return true;
    }

    private static String message(@Nullable Throwable e) {
        return e == null ? "" : e.getMessage() == null ? e.toString() : e.getMessage();
    }

    private Known readMeta(Ulid id, BlockObjects objects) throws NoSuchObjectException, IOException {
        String key = id + "/" + BlockMeta.FILE;
        Optional<byte[]> cached = foreignCopy(id, objects);
        if (cached.isPresent()) {
            try {
                BlockMeta meta = BlockMeta.parse(cached.get(), key);
                if (meta.ulid().equals(id)) {
                    keep(meta, cached.get(), objects);
                    return new Known(objects.metaSize(), objects.metaModifiedMillis(), meta, null);
                }
            } catch (CorruptDataException e) {
                // The copy may be damaged where the object is not.
                LOG.atDebug().addKeyValue("block", id).addKeyValue("err", e.getMessage()).log("copy of meta.json is not used");
            }
        }
        byte[] json = readAll(key, MAX_META_BYTES);
        BlockMeta meta;
        try {
            meta = BlockMeta.parse(json, key);
        } catch (CorruptDataException e) {
            // A version that is not known is a meta.json as well, only not for us.
            boolean version = e.rule().contains("version");
            Drop fault = new Drop(version ? BlockState.FAILED : BlockState.CORRUPTED_META, e.getMessage());
            LOG.atWarn().addKeyValue("block", id).addKeyValue("err", e.getMessage()).log("block is left out: its meta.json cannot be used");
            return new Known(objects.metaSize(), objects.metaModifiedMillis(), null, fault);
        }
        if (!meta.ulid().equals(id)) {
            String detail = key + ": names block " + meta.ulid();
            LOG.atWarn().addKeyValue("block", id).addKeyValue("err", detail).log("block is left out: its meta.json cannot be used");
            return new Known(objects.metaSize(), objects.metaModifiedMillis(), null, new Drop(BlockState.CORRUPTED_META, detail));
        }
        keep(meta, json, objects);
        return new Known(objects.metaSize(), objects.metaModifiedMillis(), meta, null);
    }

    private void keep(BlockMeta meta, byte[] json, BlockObjects objects) {
        if (copies != null && json.length == objects.metaSize()) {
            copies.add(meta.ulid(), objects.metaModifiedMillis(), json.length, MetaForm.of(meta, json));
        }
    }

    private KnownMark readMark(Ulid id, BlockMark.Kind kind, BlockObjects objects) throws IOException {
        String key = BlockMark.key(id, kind);
        try {
            return new KnownMark(objects.newestMillis(), BlockMark.parse(kind, readAll(key, MAX_MARK_BYTES), key), null);
        } catch (NoSuchObjectException gone) {
            return new KnownMark(objects.newestMillis(), null, null);
        } catch (CorruptDataException e) {
            LOG.atWarn().addKeyValue("block", id).addKeyValue("err", e.getMessage()).log("marker says nothing that can be understood");
            return new KnownMark(objects.newestMillis(), null, e.getMessage());
        }
    }

    private byte[] readAll(String key, int max) throws NoSuchObjectException, IOException {
        try (InputStream in = bucket.open(key)) {
            byte[] bytes = in.readNBytes(max + 1);
            if (bytes.length > max) {
                throw new CorruptDataException(key, 0, "is larger than " + max + " bytes");
            }
            return bytes;
        }
    }

    private Optional<byte[]> foreignCopy(Ulid id, BlockObjects objects) {
        if (cacheDirectory == null || !foreignCopies.contains(id)) {
            return Optional.empty();
        }
        Path file = cacheDirectory.resolve(id.toString()).resolve(BlockMeta.FILE);
        try {
            BasicFileAttributes a = Files.readAttributes(file, BasicFileAttributes.class);
            return a.size() == objects.metaSize() && a.lastModifiedTime().toMillis() >= objects.metaModifiedMillis()
                    ? Optional.of(Files.readAllBytes(file))
                    : Optional.empty();
        } catch (IOException e) {
            LOG.atDebug().addKeyValue("file", file).addKeyValue("err", e.toString()).log("copy of meta.json cannot be read");
            return Optional.empty();
        }
    }

    /**
     * What was read before this process: this one's copies, and where another program (or an earlier version of this) kept a file per
     * block, which of them there are.
     */
    private void loadCopies(Consumer<Set<Ulid>> ids) {
        if (copiesLoaded || copies == null || cacheDirectory == null) {
            return;
        }
        copiesLoaded = true;
        MetaForm forms = new MetaForm();
        copies.load(ids, (id, modifiedMillis, size, form) -> {
            try {
                BlockMeta meta = forms.read(form, BlockMeta.FILE);
                if (meta.ulid().equals(id)) {
                    known.put(meta.ulid(), new Known(size, modifiedMillis, meta, null));
                }
            } catch (CorruptDataException e) {
                LOG.atDebug().addKeyValue("block", id).addKeyValue("err", e.getMessage()).log("copy of meta.json is not used");
            }
        });
        try (Stream<Path> entries = Files.list(cacheDirectory)) {
            entries.forEach(p -> Ulid.parse(p.getFileName().toString()).ifPresent(foreignCopies::add));
        } catch (NoSuchFileException e) {
            LOG.atDebug().addKeyValue("directory", cacheDirectory).log("no copies of metas yet");
        } catch (IOException e) {
            LOG.atDebug().addKeyValue("directory", cacheDirectory).addKeyValue("err", e.toString()).log("copies of metas cannot be listed");
        }
    }

    /** Writes the copies; files of blocks that the bucket does not have any more go. */
    private void finishCopies(Set<Ulid> listed) {
        if (copies == null || cacheDirectory == null) {
            return;
        }
        copies.finish(listed);
        for (Ulid id : foreignCopies) {
            if (!listed.contains(id) && foreignCopies.remove(id)) {
                Path directory = cacheDirectory.resolve(id.toString());
                try {
                    Files.deleteIfExists(directory.resolve(BlockMeta.FILE));
                    Files.deleteIfExists(directory);
                } catch (IOException e) {
                    LOG.atDebug().addKeyValue("directory", directory).addKeyValue("err", e.toString()).log("copy of a meta stays");
                }
            }
        }
    }

    /** The meta with the same label object as other blocks of its stream: a bucket has thousands of blocks and a handful of streams. */
    private static BlockMeta sharingLabels(BlockMeta meta, Map<Labels, Labels> streams) {
        BlockMeta.Thanos thanos = meta.thanos();
        if (thanos == null) {
            return meta;
        }
        Labels shared = streams.computeIfAbsent(thanos.labels(), l -> l);
        return shared == thanos.labels() ? meta : meta.withThanos(thanos.withLabels(shared));
    }
}
