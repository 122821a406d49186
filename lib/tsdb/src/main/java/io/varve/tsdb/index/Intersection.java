package io.varve.tsdb.index;

/** Ids in both: each leads the other forward. */
final class Intersection implements Postings {
    private final Postings a;
    private final Postings b;
    private long current = -1;

    /** {@code a} is the one with fewer ids. */
    Intersection(Postings a, Postings b) {
        this.a = a;
        this.b = b;
    }

    private long align(long id) {
        while (id != NO_MORE) {
            long other = b.advance(id);
            if (other == id) {
                break;
            }
            id = other == NO_MORE ? NO_MORE : a.advance(other);
        }
        return current = id;
    }

    @Override
    public long current() {
        return current;
    }

    @Override
    public long next() {
        return align(a.next());
    }

    @Override
    public long advance(long target) {
        return current >= target ? current : align(a.advance(target));
    }

    @Override
    public long cost() {
        return Math.min(a.cost(), b.cost());
    }
}
