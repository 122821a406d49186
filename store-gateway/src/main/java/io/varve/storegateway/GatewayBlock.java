package io.varve.storegateway;

import io.varve.block.CatalogBlock;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.index.ByteRegion;
import io.varve.tsdb.index.IndexHeader;
import io.varve.tsdb.index.PostingsRange;
import io.varve.tsdb.index.RangeReader;
import io.varve.tsdb.index.Toc;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A block that is served: its meta, where its objects are, and its index header, which is fetched and mapped when it is first needed and
 * unmapped when it was not used for a while. Safe for many threads.
 */
final class GatewayBlock {
    private static final Logger LOG = LoggerFactory.getLogger(GatewayBlock.class);
    /** An index up to this size is fetched whole with its header: one request instead of three and more. */
    static final long WHOLE_INDEX = 4 << 20;
    /** The first read at the end of a larger one, which shall hold postings and their offsets where they are small. */
    private static final int TAIL = 1 << 20;
    /** All postings lists of an index are fetched at once up to this size: queries then have two rounds, series and chunks. */
    private static final long WHOLE_POSTINGS = 32 << 20;
    /** At least so much of a full disk is made free for an index header. */
    private static final long HEADER_ROOM = 32 << 20;
    /** How long a header that could not be loaded is not tried again. */
    private static final long FAULT_NANOS = 30_000_000_000L;

    private final CatalogBlock block;
    private final String id;
    private final Path dataDirectory;
    private final boolean keepHeader;
    private final ObjectReader reader;
    private final StoreMetrics metrics;
    private final ReentrantLock lock = new ReentrantLock();
    private @Nullable IndexHeader header;
    private int users;
    private boolean retired;
    private volatile long lastUsedNanos = System.nanoTime();
    private @Nullable VarveException fault;
    private long faultNanos;
    private final AtomicLong indexFetched = new AtomicLong();
    private final AtomicBoolean promoting = new AtomicBoolean();

    GatewayBlock(CatalogBlock block, Path dataDirectory, boolean keepHeader, ObjectReader reader, StoreMetrics metrics) {
        this.block = block;
        this.id = block.id().toString();
        this.dataDirectory = dataDirectory;
        this.keepHeader = keepHeader;
        this.reader = reader;
        this.metrics = metrics;
    }

    /** Name. */
    String id() {
        return id;
    }

    CatalogBlock catalogBlock() {
        return block;
    }

    BlockMeta meta() {
        return block.meta();
    }

    Labels externalLabels() {
        return block.meta().externalLabels();
    }

    /** The index' object. */
    String indexKey() {
        return id + "/index";
    }

    /** Where the header is: there are thousands of blocks, most of which nobody asks for. */
    private Path directory() {
        return dataDirectory.resolve(id);
    }

    /** The object of a segment, numbered from 0. */
    String segmentKey(int segment) {
        String n = Integer.toString(segment + 1);
        return id + "/chunks/" + "000000".substring(Math.min(6, n.length())) + n;
    }

    /** Size of a segment, −1 where it is not there. */
    long segmentSize(int segment) {
        return block.objects().segmentSize(segment);
    }

    /** What a request holds while it uses the header. */
    final class Lease implements AutoCloseable {
        private final IndexHeader held;
        private boolean closed;

        Lease(IndexHeader held) {
            this.held = held;
        }

        IndexHeader header() {
            return held;
        }

        @Override
        public void close() {
            lock.lock();
            try {
                if (!closed) {
                    closed = true;
                    users--;
                    lastUsedNanos = System.nanoTime();
                    if (retired && users == 0) {
                        unmap();
                    }
                }
            } finally {
                lock.unlock();
            }
        }
    }

    /**
     * The header, loaded where it is not.
     *
     * @throws CorruptDataException where the index is not there or damaged
     * @throws UnavailableException where it cannot be read
     */
    Lease acquire(ReadStats stats) {
        lock.lock();
        try {
            VarveException known = fault;
            if (known != null) {
                if (System.nanoTime() - faultNanos < FAULT_NANOS) {
                    throw known;
                }
                fault = null;
            }
            IndexHeader h = header;
            if (h == null) {
                try {
                    h = load(stats);
                } catch (CorruptDataException | UnavailableException e) {
                    metrics.headerLoadFailed.inc();
                    fault = e;
                    faultNanos = System.nanoTime();
                    throw e;
                }
                header = h;
                metrics.headerLoads.inc();
            }
            users++;
            lastUsedNanos = System.nanoTime();
            return new Lease(h);
        } finally {
            lock.unlock();
        }
    }

    /** How many series matchers select at most, as far as that is known without reading anything. */
    long mostSeries(List<Matcher> matchers) {
        long most = Math.max(1, block.meta().stats().series());
        // While the header is being loaded nothing is known either.
        if (lock.tryLock()) {
            try {
                IndexHeader h = header;
                for (Matcher m : matchers) {
                    if (h != null && m.type() == Matcher.Type.EQUAL && !m.value().isEmpty()) {
                        PostingsRange list = h.postings().find(m.name(), m.value());
                        most = list == null ? 0 : Math.min(most, list.length() / Integer.BYTES);
                    }
                }
            } finally {
                lock.unlock();
            }
        }
        return most;
    }

    /** Loads the header ahead of the first request for it; what goes wrong is told to that request. */
    void prefetch() {
        ReadStats stats = new ReadStats();
        try (Lease lease = acquire(stats)) {
            Ranges postings = new Ranges();
            addPostings(lease.header().toc(), postings);
            reader.fetchAll(indexKey(), reader.plan(indexKey(), postings, lease.header().indexSize()), stats, ReadStats.Kind.POSTINGS);
            LOG.atDebug().addKeyValue("block", id).addKeyValue("symbols", lease.header().symbols().size()).log("index header is ready");
        } catch (VarveException e) {
            LOG.atWarn().addKeyValue("block", id).addKeyValue("err", e.getMessage()).log("index header cannot be loaded");
        }
    }

    /** Bytes that {@link #prefetch} reads at most. */
    long prefetchBytes() {
        long size = Math.max(0, block.objects().indexSize());
        return size <= WHOLE_INDEX ? size : Math.min(size, TAIL + 2 * WHOLE_POSTINGS);
    }

    boolean isLoaded() {
        lock.lock();
        try {
            return header != null;
        } finally {
            lock.unlock();
        }
    }

    private IndexHeader load(ReadStats stats) {
        long size = block.objects().indexSize();
        if (size < 0) {
            throw new CorruptDataException(indexKey(), -1, "object does not exist");
        }
        Path file = directory().resolve("index-header");
        long start = System.nanoTime();
        if (Files.exists(file)) {
            try {
                IndexHeader h = open(file);
                if (h.indexSize() == size) {
                    metrics.headerLoadSeconds.observe((System.nanoTime() - start) / 1e9);
                    return h;
                }
                h.close();
            } catch (CorruptDataException e) {
                LOG.atWarn().addKeyValue("block", id).addKeyValue("err", e.getMessage()).log("index header is built anew");
            }
        }
        IndexHeader h;
        try {
            h = build(size, file, stats);
        } catch (CorruptDataException e) {
            // The copy on disk may be what is damaged: once more from the bucket.
            if (!reader.drop(indexKey())) {
                throw e;
            }
            h = build(size, file, stats);
        } catch (UnavailableException e) {
            // A full disk: what is cached goes before what is needed. A header is a small part of its index.
            if (!reader.makeRoom(HEADER_ROOM + size / 4)) {
                throw e;
            }
            h = build(size, file, stats);
        }
        metrics.headerLoadSeconds.observe((System.nanoTime() - start) / 1e9);
        if (!keepHeader) {
            // Mapped, it lives on without its name.
            try {
                Files.deleteIfExists(file);
                Files.deleteIfExists(directory());
            } catch (IOException e) {
                LOG.atDebug().addKeyValue("file", file).addKeyValue("err", e.toString()).log("index header stays on disk");
            }
        }
        return h;
    }

    private IndexHeader build(long size, Path file, ReadStats stats) {
        long start = System.nanoTime();
        IndexHeader.build(source(size, stats), indexKey(), file);
        metrics.headerDownloadSeconds.observe((System.nanoTime() - start) / 1e9);
        return open(file);
    }

    private IndexHeader open(Path file) {
        long start = System.nanoTime();
        IndexHeader h = IndexHeader.open(file);
        metrics.headerOpenSeconds.observe((System.nanoTime() - start) / 1e9);
        return h;
    }

    private RangeReader source(long size, ReadStats stats) {
        return new RangeReader() {
            private byte @Nullable [] whole;

            @Override
            public byte[] read(long offset, int length) {
                if (size <= WHOLE_INDEX) {
                    if (whole == null) {
                        whole = reader.read(indexKey(), 0, (int) size, stats, ReadStats.Kind.HEADER);
                    }
                    return java.util.Arrays.copyOfRange(whole, (int) offset, (int) offset + length);
                }
                if (offset + length == size && length < TAIL && reader.caches()) {
                    byte[] tail = reader.read(indexKey(), size - TAIL, TAIL, stats, ReadStats.Kind.HEADER);
                    // Symbols and what there is more of postings, side by side; the header is then copied from the local disk.
                    Toc toc = Toc.read(ByteRegion.of(tail, indexKey(), size - TAIL), size);
                    Ranges rest = new Ranges();
                    if (toc.series() <= WHOLE_POSTINGS) {
                        rest.add(0, toc.series());
                    }
                    addPostings(toc, rest);
                    reader.fetchAll(indexKey(), reader.plan(indexKey(), rest, size), stats, ReadStats.Kind.HEADER);
                    return java.util.Arrays.copyOfRange(tail, TAIL - length, TAIL);
                }
                return reader.read(indexKey(), offset, length, stats, ReadStats.Kind.HEADER);
            }

            @Override
            public long size() {
                return size;
            }
        };
    }

    /** Adds the place of all postings lists, unless they are too large to be fetched for a few of them; false where they are. */
    boolean addPostings(Toc toc, Ranges into) {
        long bytes = toc.postingsTable() - toc.postings();
        boolean fits = toc.postings() > 0 && bytes <= Math.min(WHOLE_POSTINGS, reader.readAheadBytes() / 16);
        if (fits) {
            into.add(toc.postings(), toc.postingsTable());
        }
        return fits;
    }

    /**
     * Says that {@code bytes} of the index had to be fetched, and are there now; an index that is read often is copied whole, so that queries after that read
     * none of it.
     */
    void indexFetched(long bytes) {
        long size = block.objects().indexSize();
        if (bytes > 0 && indexFetched.addAndGet(bytes) > size / 4 && reader.caches() && size < reader.readAheadBytes() / 4
                && promoting.compareAndSet(false, true)) {
            Thread.ofVirtual().name("promote " + id).start(() -> {
                try {
                    Ranges all = new Ranges();
                    all.add(0, size);
                    // A few bytes between what was read are not worth a request.
                    if (reader.missing(indexKey(), all).bytes() > ObjectReader.GAP) {
                        reader.fetchAll(indexKey(), reader.plan(indexKey(), all, size), new ReadStats(), ReadStats.Kind.SERIES);
                    }
                    metrics.promotions.inc();
                } catch (VarveException e) {
                    promoting.set(false);
                    LOG.atWarn().addKeyValue("block", id).addKeyValue("err", e.getMessage()).log("index cannot be copied");
                }
            });
        }
    }

    /** Unmaps the header where nobody used it since {@code nanos} ago. */
    boolean unmapIfIdle(long nanos) {
        lock.lock();
        try {
            if (header != null && users == 0 && System.nanoTime() - lastUsedNanos >= nanos) {
                unmap();
                return true;
            }
            return false;
        } finally {
            lock.unlock();
        }
    }

    long lastUsedNanos() {
        return lastUsedNanos;
    }

    /** Forgets what is known of the index, because it proved to be damaged: the next request reads it anew. */
    void distrustIndex() {
        reader.drop(indexKey());
        lock.lock();
        try {
            if (users == 0) {
                unmap();
            }
            try {
                Files.deleteIfExists(directory().resolve("index-header"));
            } catch (IOException e) {
                LOG.atDebug().addKeyValue("block", id).addKeyValue("err", e.toString()).log("index header stays on disk");
            }
        } finally {
            lock.unlock();
        }
    }

    private void unmap() {
        IndexHeader h = header;
        if (h != null) {
            header = null;
            h.close();
            metrics.headerUnloads.inc();
        }
    }

    /** The block is not served any more; requests that use it finish. */
    void retire(boolean deleteFiles) {
        lock.lock();
        try {
            retired = true;
            if (users == 0) {
                unmap();
            }
            if (deleteFiles) {
                Files.deleteIfExists(directory().resolve("index-header"));
                Files.deleteIfExists(directory());
            }
        } catch (IOException e) {
            LOG.atDebug().addKeyValue("block", id).addKeyValue("err", e.toString()).log("files of a block that is gone stay");
        } finally {
            lock.unlock();
        }
    }
}
