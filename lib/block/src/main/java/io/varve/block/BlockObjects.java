package io.varve.block;

import io.varve.objstore.BucketReader.ObjectAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a listing says of one block's objects. Sizes in bytes, −1 for what is not there. Immutable.
 */
public final class BlockObjects {
    private final long metaSize;
    private final long metaModifiedMillis;
    private final long indexSize;
    private final long[] segmentSizes;
    private final int marks;
    private final long newestMillis;
    private final int count;

    private BlockObjects(Collector c) {
        metaSize = c.metaSize;
        metaModifiedMillis = c.metaModifiedMillis;
        indexSize = c.indexSize;
        segmentSizes = c.segments.stream().mapToLong(Long::longValue).toArray();
        marks = c.marks;
        newestMillis = c.newestMillis;
        count = c.count;
    }

    /** Whether there is a meta.json: without it the block is partial. */
    public boolean hasMeta() {
        return metaSize >= 0;
    }

    /** Size of meta.json. */
    public long metaSize() {
        return metaSize;
    }

    /** Last change of meta.json. */
    public long metaModifiedMillis() {
        return metaModifiedMillis;
    }

    /** Size of the index. */
    public long indexSize() {
        return indexSize;
    }

    /** How many chunk segments there are, counting those missing between others. */
    public int segments() {
        return segmentSizes.length;
    }

    /** Size of the segment {@code chunks/<index + 1>}; −1 where it is not there. */
    public long segmentSize(int index) {
        return index >= 0 && index < segmentSizes.length ? segmentSizes[index] : -1;
    }

    /** Whether a marker file is there. */
    public boolean has(BlockMark.Kind kind) {
        return (marks & 1 << kind.ordinal()) != 0;
    }

    /** The newest change of any object of the block, 0 where the store does not say. */
    public long newestMillis() {
        return newestMillis;
    }

    @Override
    public boolean equals(@Nullable Object o) {
        return o instanceof BlockObjects b && b.metaSize == metaSize && b.metaModifiedMillis == metaModifiedMillis
                && b.indexSize == indexSize
                && Arrays.equals(b.segmentSizes, segmentSizes) && b.marks == marks && b.newestMillis == newestMillis && b.count == count;
    }

    @Override
    public int hashCode() {
        return Long.hashCode(metaSize * 31 + indexSize) * 31 + Arrays.hashCode(segmentSizes);
    }

    /** Gathers a block's lines of a listing. One thread. */
    static final class Collector {
        private static final int MAX_SEGMENTS = 1 << 20;
        private long metaSize = -1;
        private long metaModifiedMillis;
        private long indexSize = -1;
        private final List<Long> segments = new ArrayList<>(1);
        private int marks;
        private long newestMillis;
        private int count;

        /** Adds an object; {@code path} is relative to the block. */
        void add(String path, ObjectAttributes object) {
            count++;
            newestMillis = Math.max(newestMillis, object.lastModifiedMillis());
            switch (path) {
                case "meta.json" -> {
                    metaSize = object.size();
                    metaModifiedMillis = object.lastModifiedMillis();
                }
                case "index" -> indexSize = object.size();
                default -> {
                    if (path.startsWith("chunks/")) {
                        segment(path.substring("chunks/".length()), object.size());
                    }
                    for (BlockMark.Kind kind : BlockMark.Kind.values()) {
                        if (path.equals(kind.file())) {
                            marks |= 1 << kind.ordinal();
                        }
                    }
                }
            }
        }

        private void segment(String name, long size) {
            int n = 0;
            for (int i = 0; i < name.length(); i++) {
                char c = name.charAt(i);
                if (c < '0' || c > '9' || n > MAX_SEGMENTS) {
                    return;
                }
                n = n * 10 + c - '0';
            }
            if (n < 1 || n > MAX_SEGMENTS || name.length() != 6) {
                return;
            }
            while (segments.size() < n) {
                segments.add(-1L);
            }
            segments.set(n - 1, size);
        }

        BlockObjects build() {
            return new BlockObjects(this);
        }
    }
}
