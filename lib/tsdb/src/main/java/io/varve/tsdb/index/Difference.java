package io.varve.tsdb.index;

/** Ids of one that are not in the other. */
final class Difference implements Postings {
    private final Postings from;
    private final Postings without;
    private long current = -1;

    Difference(Postings from, Postings without) {
        this.from = from;
        this.without = without;
    }

    private long skip(long id) {
        while (id != NO_MORE && without.current() != NO_MORE && without.advance(id) == id) {
            id = from.next();
        }
        return current = id;
    }

    @Override
    public long current() {
        return current;
    }

    @Override
    public long next() {
        return skip(from.next());
    }

    @Override
    public long advance(long target) {
        return current >= target ? current : skip(from.advance(target));
    }

    @Override
    public long cost() {
        return from.cost();
    }
}
