package io.varve.tsdb.index;

import java.util.ArrayList;
import java.util.List;

/**
 * Ids in any of many lists, once, through a tree of losers: one comparison per level and id. Where many stored lists are dense
 * (a regex over a label's values), a bitmap is filled instead: cost per id is then constant, however many lists there are.
 */
final class Union implements Postings {
    /** Fewer lists than this stream; the tree is flat enough. */
    private static final int BITMAP_FROM_LISTS = 8;
    /** A bitmap may take so many bytes per id at most. */
    private static final int BITMAP_BYTES_PER_ID = 8;

    private final Postings[] lists;
    /** Ids the lists stand on. */
    private final long[] heads;
    /** Node i (from 1) holds the list that lost there; node 0 the winner. */
    private final int[] losers;
    private long current = -1;

    static Postings of(List<Postings> any) {
        if (any.isEmpty()) {
            return Postings.empty();
        }
        if (any.size() == 1) {
            return any.getFirst();
        }
        Postings bitmap = any.size() >= BITMAP_FROM_LISTS ? bitmap(any) : null;
        return bitmap != null ? bitmap : new Union(any.toArray(Postings[]::new));
    }

    private static @org.jspecify.annotations.Nullable Postings bitmap(List<Postings> any) {
        long ids = 0;
        long max = 0;
        List<BigEndianPostings> raw = new ArrayList<>(any.size());
        for (Postings p : any) {
            if (!(p instanceof BigEndianPostings b) || b.index() >= 0) {
                return null;
            }
            raw.add(b);
            ids += b.count();
            if (b.count() > 0) {
                max = Math.max(max, b.get(b.count() - 1));
            }
        }
        if (max / 8 > ids * BITMAP_BYTES_PER_ID || max / 64 > Integer.MAX_VALUE - 16) {
            return null;
        }
        long[] words = new long[(int) (max / 64) + 1];
        for (BigEndianPostings b : raw) {
            for (int i = 0; i < b.count(); i++) {
                long id = b.get(i);
                // Lists that are not in order end before their greatest id; they are damaged, but no reason to fail here.
                int word = (int) (id >>> 6);
                if (word >= words.length) {
                    return null;
                }
                words[word] |= 1L << id;
            }
        }
        return new BitmapPostings(words, ids);
    }

    private Union(Postings[] lists) {
        this.lists = lists;
        this.heads = new long[lists.length];
        this.losers = new int[lists.length];
    }

    private void start() {
        for (int i = 0; i < lists.length; i++) {
            heads[i] = lists[i].next();
        }
        rebuild();
    }

    /** Plays every match anew, leaves first. */
    private void rebuild() {
        int n = lists.length;
        int[] winners = new int[2 * n];
        for (int i = 0; i < n; i++) {
            winners[n + i] = i;
        }
        for (int node = n - 1; node >= 1; node--) {
            int a = winners[2 * node];
            int b = winners[2 * node + 1];
            boolean first = heads[a] <= heads[b];
            winners[node] = first ? a : b;
            losers[node] = first ? b : a;
        }
        losers[0] = winners[1];
    }

    private void replay(int list) {
        int winner = list;
        for (int node = (list + lists.length) >>> 1; node >= 1; node >>>= 1) {
            int other = losers[node];
            if (heads[other] < heads[winner]) {
                losers[node] = winner;
                winner = other;
            }
        }
        losers[0] = winner;
    }

    @Override
    public long current() {
        return current;
    }

    @Override
    public long next() {
        if (current == -1) {
            start();
        } else {
            while (heads[losers[0]] == current) {
                int w = losers[0];
                heads[w] = lists[w].next();
                replay(w);
            }
        }
        return current = heads[losers[0]];
    }

    @Override
    public long advance(long target) {
        if (current >= target) {
            return current;
        }
        if (current == -1) {
            start();
        }
        while (heads[losers[0]] < target) {
            int w = losers[0];
            heads[w] = lists[w].advance(target);
            replay(w);
        }
        return current = heads[losers[0]];
    }

    @Override
    public long cost() {
        long sum = 0;
        for (Postings p : lists) {
            sum += p.cost();
        }
        return sum;
    }
}
