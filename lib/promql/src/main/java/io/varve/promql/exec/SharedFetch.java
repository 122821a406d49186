package io.varve.promql.exec;

import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One select for all leaves that read the same series, which the thread that pulls asks for. Series stay encoded and are held until the
 * slowest leaf has had them; where that would be too many, leaves that lag behind ask the source themselves and pass over what they
 * had. For one leaf it is no more than the select.
 */
final class SharedFetch {
    /** Bytes of encoded series that are held at most. */
    static final long HELD = 16L << 20;

    private final QueryRun run;
    private final SelectHints hints;
    private final List<Matcher> matchers;
    private final Memory memory;
    private final List<Reader> readers = new ArrayList<>();
    /** Leaves that have not opened yet. */
    private int expected;
    private @Nullable SeriesSet source;
    /** Whether it is too late to join: the first series is gone already. */
    private boolean closed;
    private long held;

    SharedFetch(QueryRun run, SelectHints hints, List<Matcher> matchers) {
        this.run = run;
        this.hints = hints;
        this.matchers = matchers;
        this.memory = new Memory(run.context.budget(), "series of several selectors");
    }

    /** Says that there is one more leaf. */
    void expect() {
        expected++;
    }

    private SeriesSet select() {
        return run.select(hints, matchers);
    }

    /** The series for one leaf. */
    SeriesSet open() {
        boolean alone = expected == 1 && readers.isEmpty();
        expected--;
        if (alone || closed) {
            return select();
        }
        if (source == null) {
            source = select();
        }
        Reader r = new Reader();
        readers.add(r);
        return r;
    }

    /** Takes the next series from the source, for the reader that wants it and all that follow. */
    private void pull() {
        closed = true;
        SeriesSet from = source;
        Series s = from == null ? null : from.next();
        if (s == null) {
            for (Reader r : readers) {
                r.ended = true;
            }
            return;
        }
        for (Reader r : readers) {
            r.waiting.add(s);
        }
        hold(s.encodedBytes());
    }

    private void hold(long bytes) {
        try {
            if (held + bytes <= HELD) {
                memory.reserve(bytes);
                held += bytes;
                return;
            }
        } catch (LimitExceededException e) {
            // Nor is there room for so much: reading twice needs none.
        }
        detach();
    }

    /** From now on those that have most yet to read go their own way. */
    private void detach() {
        int least = Integer.MAX_VALUE;
        for (Reader r : readers) {
            least = Math.min(least, r.waiting.size());
        }
        Iterator<Reader> it = readers.iterator();
        while (it.hasNext()) {
            Reader r = it.next();
            if (r.waiting.size() > least) {
                r.alone = true;
                r.waiting.clear();
                it.remove();
            }
        }
        recount();
    }

    private void recount() {
        long now = 0;
        int most = 0;
        Reader slowest = null;
        for (Reader r : readers) {
            if (slowest == null || r.waiting.size() > most) {
                most = r.waiting.size();
                slowest = r;
            }
        }
        if (slowest != null) {
            for (Series s : slowest.waiting) {
                now += s.encodedBytes();
            }
        }
        memory.release(Math.max(0, held - now));
        held = Math.min(held, now);
    }

    private final class Reader implements SeriesSet {
        /** Series that another reader pulled already. */
        final ArrayDeque<Series> waiting = new ArrayDeque<>();
        boolean ended;
        boolean alone;
        private @Nullable SeriesSet own;
        private @Nullable Labels last;
        private boolean over;

        @Override
        public @Nullable Series next() {
            if (over) {
                return null;
            }
            Series s = alone ? nextOwn() : nextShared();
            if (s != null) {
                last = s.labels();
            }
            return s;
        }

        private @Nullable Series nextShared() {
            if (waiting.isEmpty() && !ended) {
                pull();
            }
            Series s = waiting.poll();
            if (s != null && isSlowest()) {
                long bytes = Math.min(held, s.encodedBytes());
                memory.release(bytes);
                held -= bytes;
            }
            return s;
        }

        /** Whether nobody else wants what this one just had. */
        private boolean isSlowest() {
            for (Reader r : readers) {
                if (r != this && r.waiting.size() > waiting.size()) {
                    return false;
                }
            }
            return true;
        }

        private @Nullable Series nextOwn() {
            SeriesSet from = own;
            if (from != null) {
                return from.next();
            }
            from = select();
            own = from;
            Labels had = last;
            Series s = from.next();
            while (s != null && had != null && s.labels().compareTo(had) <= 0) {
                run.context.check();
                s = from.next();
            }
            return s;
        }

        @Override
        public void close() {
            if (over) {
                return;
            }
            over = true;
            waiting.clear();
            readers.remove(this);
            try {
                SeriesSet mine = own;
                if (mine != null) {
                    mine.close();
                }
            } finally {
                SeriesSet shared = source;
                if (readers.isEmpty() && shared != null) {
                    closed = true;
                    source = null;
                    memory.close();
                    shared.close();
                } else if (!readers.isEmpty()) {
                    recount();
                }
            }
        }
    }
}
