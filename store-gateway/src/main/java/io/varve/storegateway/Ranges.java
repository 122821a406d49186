package io.varve.storegateway;

import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;

/**
 * Byte ranges {@code [start, end)} of one object, collected in any order and joined where little lies between them. One thread.
 */
final class Ranges {
    private long[] starts;
    private long[] ends;
    private int size;
    private boolean sorted = true;

    Ranges() {
        this(16);
    }

    /**
     * @param room for so many without growing
     */
    Ranges(int room) {
        starts = new long[Math.max(4, room)];
        ends = new long[Math.max(4, room)];
    }

    /** Adds a range; one that goes on where the last ended is joined to it at once. */
    void add(long start, long end) {
        if (end <= start) {
            return;
        }
        if (size > 0) {
            if (start >= starts[size - 1] && start <= ends[size - 1]) {
                ends[size - 1] = Math.max(ends[size - 1], end);
                return;
            }
            sorted &= start > ends[size - 1];
        }
        if (size == starts.length) {
            starts = Arrays.copyOf(starts, size * 2);
            ends = Arrays.copyOf(ends, size * 2);
        }
        starts[size] = start;
        ends[size++] = end;
    }

    int size() {
        return size;
    }

    boolean isEmpty() {
        return size == 0;
    }

    long start(int i) {
        return starts[i];
    }

    long end(int i) {
        return ends[i];
    }

    int length(int i) {
        return Math.toIntExact(ends[i] - starts[i]);
    }

    /** Bytes of all. */
    long bytes() {
        long sum = 0;
        for (int i = 0; i < size; i++) {
            sum += ends[i] - starts[i];
        }
        return sum;
    }

    /** What of them lies before {@code limit}; all where that is negative. */
    Ranges below(long limit) {
        if (limit < 0) {
            return this;
        }
        Ranges out = new Ranges(size);
        for (int i = 0; i < size; i++) {
            out.add(starts[i], Math.min(limit, ends[i]));
        }
        return out;
    }

    /** Those that lie in one of {@code other}, which are disjoint and sorted like these. */
    Ranges within(Ranges other) {
        Ranges out = new Ranges();
        int o = 0;
        for (int i = 0; i < size; i++) {
            while (o < other.size && other.ends[o] <= starts[i]) {
                o++;
            }
            if (o < other.size && other.starts[o] <= starts[i] && ends[i] <= other.ends[o]) {
                out.add(starts[i], ends[i]);
            }
        }
        return out;
    }

    /** Sorted, with what overlaps or is at most {@code gap} apart made one. */
    Ranges joined(long gap) {
        Ranges in = sorted ? this : sortedCopy();
        Ranges out = new Ranges(in.size);
        for (int i = 0; i < in.size; i++) {
            int last = out.size - 1;
            if (last >= 0 && in.starts[i] <= out.ends[last] + gap) {
                out.ends[last] = Math.max(out.ends[last], in.ends[i]);
            } else {
                out.add(in.starts[i], in.ends[i]);
            }
        }
        return out;
    }

    /**
     * Trades bytes for requests: ranges up to {@code gap} apart are joined, and where there are more than {@code wanted} of all objects, the
     * closest of them as well until there are not, but none that are more than {@code maxGap} apart.
     */
    static List<Ranges> planned(List<Ranges> objects, long gap, long maxGap, int wanted) {
        List<Ranges> out = objects.stream().map(r -> r.joined(gap)).toList();
        int tooMany = out.stream().mapToInt(Ranges::size).sum() - wanted;
        if (tooMany <= 0) {
            return out;
        }
        long[] gaps = out.stream().flatMapToLong(r -> LongStream.range(1, r.size).map(i -> r.starts[(int) i] - r.ends[(int) i - 1]))
                .filter(g -> g <= maxGap).sorted().toArray();
        if (gaps.length == 0) {
            return out;
        }
        long wider = gaps[Math.min(tooMany, gaps.length) - 1];
        return out.stream().map(r -> r.joined(wider)).toList();
    }

    /** Cut into pieces of {@code max} bytes, the last of each range shorter. */
    Ranges cut(int max) {
        Ranges out = new Ranges();
        for (int i = 0; i < size; i++) {
            out.appendCut(starts[i], ends[i], max);
        }
        return out;
    }

    /** Cut into as few pieces of at most {@code max} bytes as there can be, those of a range about equal. */
    Ranges cutEvenly(int max) {
        Ranges out = new Ranges();
        for (int i = 0; i < size; i++) {
            long bytes = ends[i] - starts[i];
            out.appendCut(starts[i], ends[i], Math.ceilDiv(bytes, Math.ceilDiv(bytes, max)));
        }
        return out;
    }

    private void appendCut(long start, long end, long piece) {
        for (long at = start; at < end; at += piece) {
            append(at, Math.min(end, at + piece));
        }
    }

    /** Adds without joining. */
    private void append(long start, long end) {
        if (size == starts.length) {
            starts = Arrays.copyOf(starts, size * 2);
            ends = Arrays.copyOf(ends, size * 2);
        }
        starts[size] = start;
        ends[size++] = end;
    }

    /** The range that holds {@code offset}, −1 where none does. The ranges must be sorted. */
    int find(long offset) {
        int i = Arrays.binarySearch(starts, 0, size, offset);
        int at = i >= 0 ? i : -i - 2;
        return at >= 0 && offset < ends[at] ? at : -1;
    }

    private Ranges sortedCopy() {
        Integer[] order = new Integer[size];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, (a, b) -> Long.compare(starts[a], starts[b]));
        Ranges out = new Ranges(size);
        for (int i : order) {
            out.add(starts[i], ends[i]);
        }
        return out;
    }
}
