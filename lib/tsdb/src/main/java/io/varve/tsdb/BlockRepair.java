package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.tsdb.index.IndexReader;
import io.varve.tsdb.index.Postings;
import io.varve.tsdb.index.SeriesEntry;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;

/**
 * Writes a block anew without the known faults of old Prometheus versions: chunks that lie wholly outside the block's range or
 * begin exactly at its end, chunks that are there twice, chunks, labels or series that are out of order. No sample is changed, and nothing
 * is decoded but chunks of which samples are deleted, which are left out; chunks that overlap without being equal, or reach out of the range, are
 * not repaired but refused. Memory is that of the writer, and some bytes for
 * each series where they are out of order.
 */
public final class BlockRepair {
    private BlockRepair() {
    }

    /**
     * Repairs a block.
     *
     * @param source what the new meta names as its source, for a block with Thanos' section
     * @return the new meta, empty where no chunk is left and no block was written
     * @throws CorruptDataException where chunks overlap that are not equal or lie partly outside the range, or the block cannot be read
     */
    public static Optional<BlockMeta> repair(BlockReader block, Path parent, Ulid ulid, String source) {
        IndexReader index = block.index();
        BlockMeta old = block.meta();
        try (BlockWriter writer = BlockWriter.create(parent, ulid)) {
            SeriesEntry entry = new SeriesEntry();
            Labels last = null;
            Postings ids = inOrder(index);
            for (long id = ids.next(); id != Postings.NO_MORE; id = ids.next()) {
                index.series(id, entry);
                Labels labels = index.labels(entry);
                if (last != null && labels.equals(last)) {
                    // The same series again: Prometheus' readers find the first.
                    continue;
                }
                last = labels;
                Intervals deleted = block.tombstones().of(id);
                List<Chunk> kept = kept(block, entry, labels, id).stream().flatMap(c -> ChunkCut.without(c, deleted).stream()).toList();
                if (!kept.isEmpty()) {
                    writer.add(labels, kept);
                }
            }
            if (writer.stats().chunks() == 0) {
                return Optional.empty();
            }
            BlockMeta.Thanos thanos = old.thanos();
            return Optional
                    .of(writer.commit(old.withThanos(thanos == null ? null : thanos.withSource(source).withFiles(List.of(), List.of()))));
        }
    }

    /** Series by labels: the postings' order where that is it; else their ids are sorted, with the labels read again for every comparison. */
    private static Postings inOrder(IndexReader index) {
        SeriesEntry entry = new SeriesEntry();
        Postings all = index.allPostings();
        Labels last = null;
        for (long id = all.next(); id != Postings.NO_MORE; id = all.next()) {
            index.series(id, entry);
            Labels labels = index.labels(entry);
            if (last != null && last.compareTo(labels) > 0) {
                return sorted(index);
            }
            last = labels;
        }
        return index.allPostings();
    }

    private static Postings sorted(IndexReader index) {
        long[] ids = index.allPostings().toArray();
        SeriesEntry entry = new SeriesEntry();
        return Postings.of(LongStream.of(ids).boxed().sorted(Comparator.comparing(id -> {
            index.series(id, entry);
            return index.labels(entry);
        })).mapToLong(Long::longValue).toArray());
    }

    private static List<Chunk> kept(BlockReader block, SeriesEntry entry, Labels labels, long id) {
        List<Chunk> chunks = new ArrayList<>(block.chunks(entry));
        chunks.sort(Comparator.comparingLong(Chunk::minTime));
        List<Chunk> kept = new ArrayList<>(chunks.size());
        for (Chunk c : chunks) {
            if (c.minTime() >= block.meta().maxTime() || c.maxTime() < block.meta().minTime()) {
                continue;
            }
            if (c.minTime() < block.meta().minTime() || c.maxTime() > block.meta().maxTime()) {
                throw block.index().region().corrupt(block.index().seriesOffset(id),
                        "chunk " + c.minTime() + ".." + c.maxTime() + " of " + labels
                                + " lies partly outside the block's range " + block.meta().minTime() + ".." + block.meta().maxTime());
            }
            Chunk before = kept.isEmpty() ? null : kept.getLast();
            if (before == null || c.minTime() > before.maxTime()) {
                kept.add(c);
            } else if (!c.sameContent(before)) {
                throw block.index().region().corrupt(block.index().seriesOffset(id),
                        "chunks of " + labels + " overlap and differ: "
                                + before.minTime() + ".." + before.maxTime() + " and " + c.minTime() + ".." + c.maxTime());
            }
        }
        return kept;
    }
}
