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

/**
 * Writes a block anew without the known faults of old Prometheus versions: chunks that lie wholly outside the block's range or
 * begin exactly at its end, chunks that are there twice, chunks, labels or series that are out of order. Nothing is decoded and no
 * sample is changed; chunks that overlap without being equal are not repaired but refused.
 */
public final class BlockRepair {
    private BlockRepair() {
    }

    private record Place(Labels labels, long id) {
    }

    /**
     * Repairs a block.
     *
     * @param source what the new meta names as its source, for a block with Thanos' section
     * @return the new meta, empty where no chunk is left and no block was written
     * @throws CorruptDataException where chunks overlap that are not equal, or the block cannot be read
     */
    public static Optional<BlockMeta> repair(BlockReader block, Path parent, Ulid ulid, String source) {
        IndexReader index = block.index();
        BlockMeta old = block.meta();
        try (BlockWriter writer = BlockWriter.create(parent, ulid)) {
            SeriesEntry entry = new SeriesEntry();
            Place last = null;
            for (Place p : inOrder(index)) {
                if (last != null && last.labels.equals(p.labels)) {
                    // The same series again: Prometheus' readers find the first.
                    continue;
                }
                last = p;
                index.series(p.id, entry);
                List<Chunk> kept = kept(block, entry, p);
                if (!kept.isEmpty()) {
                    writer.add(p.labels, kept);
                }
            }
            if (writer.stats().chunks() == 0) {
                return Optional.empty();
            }
            BlockMeta.Thanos thanos = old.thanos();
            return Optional.of(writer.commit(old.withThanos(thanos == null ? null : thanos.withSource(source))));
        }
    }

    /** Series by labels; the postings' order where that is it, so that labels of a sound block are not all held in memory twice. */
    private static List<Place> inOrder(IndexReader index) {
        List<Place> places = new ArrayList<>();
        SeriesEntry entry = new SeriesEntry();
        Postings all = index.allPostings();
        boolean sorted = true;
        for (long id = all.next(); id != Postings.NO_MORE; id = all.next()) {
            index.series(id, entry);
            Place p = new Place(index.labels(entry), id);
            sorted &= places.isEmpty() || places.getLast().labels.compareTo(p.labels) < 0;
            places.add(p);
        }
        if (!sorted) {
            places.sort(Comparator.comparing(Place::labels));
        }
        return places;
    }

    private static List<Chunk> kept(BlockReader block, SeriesEntry entry, Place place) {
        List<Chunk> chunks = new ArrayList<>(block.chunks(entry));
        chunks.sort(Comparator.comparingLong(Chunk::minTime));
        List<Chunk> kept = new ArrayList<>(chunks.size());
        for (Chunk c : chunks) {
            if (c.minTime() >= block.meta().maxTime() || c.maxTime() < block.meta().minTime()) {
                continue;
            }
            Chunk before = kept.isEmpty() ? null : kept.getLast();
            if (before == null || c.minTime() > before.maxTime()) {
                kept.add(c);
            } else if (!c.sameContent(before)) {
                throw block.index().region().corrupt(block.index().seriesOffset(place.id),
                        "chunks of " + place.labels + " overlap and differ: "
                                + before.minTime() + ".." + before.maxTime() + " and " + c.minTime() + ".." + c.maxTime());
            }
        }
        return kept;
    }
}
