package io.varve.tsdb.index;

/** Over the bits that are set. */
final class BitmapPostings implements Postings {
    private final long[] words;
    private final long cost;
    private long current = -1;

    BitmapPostings(long[] words, long cost) {
        this.words = words;
        this.cost = cost;
    }

    @Override
    public long current() {
        return current;
    }

    @Override
    public long next() {
        return current = from(current + 1);
    }

    @Override
    public long advance(long target) {
        return current >= target ? current : (current = from(target));
    }

    private long from(long id) {
        long word = id >>> 6;
        if (word >= words.length) {
            return NO_MORE;
        }
        int w = (int) word;
        long bits = words[w] & -1L << id;
        while (bits == 0) {
            if (++w == words.length) {
                return NO_MORE;
            }
            bits = words[w];
        }
        return ((long) w << 6) + Long.numberOfTrailingZeros(bits);
    }

    @Override
    public long cost() {
        return cost;
    }
}
