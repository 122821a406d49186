package io.varve.storegateway;

import io.varve.block.BlockCatalog;
import io.varve.block.BlockSync;
import io.varve.block.CatalogBlock;
import io.varve.model.VarveException;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * Keeps what is served in step with the bucket: syncs the catalog, takes up new blocks, lets go of those that are gone, loads index headers
 * before they are asked for, and unmaps those that nobody asks for. Safe for many threads.
 */
final class StoreGateway implements BucketStore.QueryPattern, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(StoreGateway.class);
    /** Blocks that end within this time of the newest are the ones most asked for: a day, and an hour that rates look back. */
    private static final long RECENT_MILLIS = 25 * 3600_000L;
    /** Headers loaded ahead because of one request at most. */
    private static final int PATTERN_BLOCKS = 64;
    /** A bucket of so many blocks has the headers of all of them fetched without being asked for, as far as they take no more than the bytes. */
    private static final int FEW_BLOCKS = 1024;
    private static final long FEW_BLOCKS_BYTES = 256L << 20;
    private static final int FEW_BLOCKS_AT_A_TIME = 4;
    /** Headers mapped at a time at most; beyond, the one not used for longest goes. */
    private static final int MAX_HEADERS = 4096;

    /**
     * How it behaves.
     *
     * @param dataDirectory where index headers are kept
     * @param keepHeaders whether they stay on disk
     * @param eager whether headers of recent and new blocks are loaded without being asked for
     * @param loadConcurrency headers loaded ahead at a time
     * @param unmapIdle whether headers are unmapped when idle
     * @param idleMillis after how long
     * @param logLevel of what an operator wants to read of every sync
     */
    record Options(Path dataDirectory, boolean keepHeaders, boolean eager, int loadConcurrency, boolean unmapIdle, long idleMillis,
            Level logLevel) {
    }

    private static final Comparator<GatewayBlock> NEWEST_FIRST = Comparator.comparingLong((GatewayBlock b) -> b.meta().maxTime())
            .reversed();

    private final BlockSync sync;
    private final ObjectReader reader;
    private final Optional<PageCache> pages;
    private final StoreMetrics metrics;
    private final Options options;
    private final Semaphore loading;
    private final Set<String> queued = ConcurrentHashMap.newKeySet();
    private volatile Blocks blocks = Blocks.EMPTY;
    private volatile boolean closed;
    private volatile boolean asked;
    private boolean serving;

    StoreGateway(BlockSync sync, ObjectReader reader, Optional<PageCache> pages, StoreMetrics metrics, Options options) {
        this.sync = sync;
        this.reader = reader;
        this.pages = pages;
        this.metrics = metrics;
        this.options = options;
        this.loading = new Semaphore(Math.max(1, options.loadConcurrency));
    }

    /** What is served now. */
    Blocks blocks() {
        return blocks;
    }

    /** The catalog of the last sync. */
    BlockCatalog catalog() {
        return sync.latest();
    }

    /** Whether anybody has asked for anything that these blocks may have. */
    boolean wasAsked() {
        return asked;
    }

    /** Brings what is served in step with the bucket. Where metas could not all be read, blocks are only added. */
    synchronized void sync() {
        BlockCatalog catalog = sync.sync();
        Blocks before = blocks;
        long start = System.nanoTime();
        Map<String, GatewayBlock> now = new HashMap<>();
        List<GatewayBlock> fresh = new ArrayList<>();
        for (CatalogBlock b : catalog.blocks().values()) {
            String id = b.id().toString();
            GatewayBlock known = before.byId().get(id);
            if (known != null && known.catalogBlock().meta().equals(b.meta())
                    && known.catalogBlock().objects().indexSize() == b.objects().indexSize()
                    && known.catalogBlock().objects().segments() == b.objects().segments()) {
                now.put(id, known);
            } else {
                metrics.blockLoads.inc();
                GatewayBlock added = new GatewayBlock(b, options.dataDirectory, options.keepHeaders, reader, metrics);
                now.put(id, added);
                fresh.add(added);
            }
        }
        if (catalog.incomplete()) {
            before.byId().forEach(now::putIfAbsent);
        }
        Blocks next = new Blocks(now);
        boolean first = before == Blocks.EMPTY;
        blocks = next;
        before.byId().forEach((id, b) -> {
            if (now.get(id) != b) {
                boolean gone = !now.containsKey(id);
                b.retire(gone);
                if (gone) {
                    pages.ifPresent(p -> p.dropBlock(id));
                    metrics.blockDrops.inc();
                }
            }
        });
        if (first) {
            cleanDirectory(catalog);
        }
        metrics.blocksLoaded.set(now.size());
        if (!fresh.isEmpty()) {
            metrics.lastLoaded.set(System.currentTimeMillis() / 1000.0);
            metrics.blockLoadSeconds.observe((System.nanoTime() - start) / 1e9);
        }
        LOG.atLevel(options.logLevel).addKeyValue("blocks", now.size()).addKeyValue("new", fresh.size())
                .addKeyValue("left_out", catalog.dropped().size()).log("synced blocks");
        if (options.eager && serving) {
            loadRecent(fresh);
        }
    }

    /** Requests can come from now on: loads what they will want first. Before, that would only have been in the way of the start. */
    synchronized void serving() {
        serving = true;
        if (options.eager) {
            Collection<GatewayBlock> all = blocks.byId().values();
            loadRecent(all);
            if (all.size() <= FEW_BLOCKS && options.keepHeaders && reader.caches()) {
                Queue<GatewayBlock> older = new ConcurrentLinkedQueue<>(ofFewBlocks(all));
                for (int i = 0; i < FEW_BLOCKS_AT_A_TIME; i++) {
                    Thread.ofVirtual().name("older headers " + i).start(() -> fetchOlder(older));
                }
            }
        }
    }

    /** The newest, as many as may be fetched. */
    private List<GatewayBlock> ofFewBlocks(Collection<GatewayBlock> all) {
        long room = Math.min(FEW_BLOCKS_BYTES, reader.readAheadBytes());
        List<GatewayBlock> out = new ArrayList<>();
        for (GatewayBlock b : all.stream().sorted(NEWEST_FIRST).toList()) {
            room -= b.prefetchBytes();
            if (room < 0) {
                break;
            }
            out.add(b);
        }
        return out;
    }

    /** Fetches headers, so that the first question about a long time finds them on the disk. They are not kept mapped: nobody may ever ask. */
    private void fetchOlder(Queue<GatewayBlock> older) {
        for (GatewayBlock b = older.poll(); b != null && !closed; b = older.poll()) {
            if (!b.isLoaded() && blocks.byId().get(b.id()) == b && fetch(b)) {
                b.unmapIfIdle(0);
            }
        }
    }

    /** Headers of the newest of the blocks; the older ones wait until a request comes near them. */
    private void loadRecent(Collection<GatewayBlock> fresh) {
        long newest = fresh.stream().mapToLong(b -> b.meta().maxTime()).max().orElse(0);
        fresh.stream().filter(b -> b.meta().maxTime() > newest - RECENT_MILLIS).sorted(NEWEST_FIRST).forEach(this::loadAhead);
    }

    private void loadAhead(GatewayBlock block) {
        if (!closed && !block.isLoaded() && !queued.contains(block.id())) {
            Thread.ofVirtual().name("header " + block.id()).start(() -> fetch(block));
        }
    }

    /** Fetches a header, unless somebody else does (false), as soon as not too many are being fetched. */
    private boolean fetch(GatewayBlock block) {
        if (!queued.add(block.id())) {
            return false;
        }
        try {
            loading.acquire();
            try {
                if (!closed) {
                    block.prefetch();
                }
            } finally {
                loading.release();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            queued.remove(block.id());
        }
        return true;
    }

    @Override
    public void queried(BlockSet set, List<GatewayBlock> chosen, long minTime, long maxTime) {
        asked = true;
        // Who looks at a span mostly looks at the one before it next.
        long span = Math.min(Math.max(maxTime - minTime, 1), 366L * 24 * 3600_000);
        if (chosen.isEmpty() || minTime <= Long.MIN_VALUE + span) {
            return;
        }
        set.select(minTime - span, minTime - 1, 0, b -> !b.isLoaded()).stream().sorted(NEWEST_FIRST).limit(PATTERN_BLOCKS)
                .forEach(this::loadAhead);
    }

    /** Unmaps headers that nobody used for a while. Called from time to time. */
    void unmapIdle() {
        List<GatewayBlock> loaded = new ArrayList<>(blocks.byId().values().stream().filter(GatewayBlock::isLoaded).toList());
        if (options.unmapIdle) {
            loaded.removeIf(b -> b.unmapIfIdle(options.idleMillis * 1_000_000));
        }
        if (loaded.size() > MAX_HEADERS) {
            loaded.sort(Comparator.comparingLong(GatewayBlock::lastUsedNanos));
            loaded.subList(0, loaded.size() - MAX_HEADERS).forEach(b -> b.unmapIfIdle(0));
        }
    }

    /** Removes what an earlier process left of blocks that are not in the bucket any more. */
    private void cleanDirectory(BlockCatalog catalog) {
        if (catalog.incomplete()) {
            return;
        }
        try (Stream<Path> entries = Files.list(options.dataDirectory)) {
            for (Path p : (Iterable<Path>) entries::iterator) {
                Optional<Ulid> id = Ulid.parse(p.getFileName().toString());
                if (id.isPresent() && !catalog.all().containsKey(id.get())) {
                    Files.deleteIfExists(p.resolve("index-header"));
                    Files.deleteIfExists(p.resolve("index-header.tmp"));
                    Files.deleteIfExists(p);
                }
            }
        } catch (IOException e) {
            LOG.atWarn().addKeyValue("err", e.toString()).log("old files cannot be removed");
        }
        pages.ifPresent(
                p -> p.blocks().stream().filter(b -> Ulid.parse(b).filter(catalog.all()::containsKey).isEmpty()).forEach(p::dropBlock));
    }

    /** Runs a sync; what goes wrong is logged. True where it succeeded. */
    boolean trySync() {
        try {
            sync();
            return true;
        } catch (VarveException e) {
            LOG.atWarn().addKeyValue("err", e.getMessage()).log("blocks cannot be synced");
            return false;
        }
    }

    @Override
    public void close() {
        closed = true;
        Blocks last = blocks;
        blocks = Blocks.EMPTY;
        last.byId().values().forEach(b -> b.retire(false));
    }
}
