package io.varve.promql.exec;

import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One input for several readers: rows are held until the slowest reader has had them. It gets them themselves, the others get copies. Readers
 * that change no row have them in common; where there are such, all others get copies.
 * Where more would have to be held than is worth it, readers that lag behind get an input of their own and pass over what they had: the
 * same plan gives the same rows in the same order.
 */
final class SharedRows {
    private final QueryRun run;
    private final Grid grid;
    /** Bytes of rows that are held at most. */
    static final long HELD = 16L << 20;

    private final Operator input;
    private final Supplier<Operator> again;
    private final List<Reader> readers = new ArrayList<>();
    private final int expected;
    /** Rows that some reader still wants, from {@link #head} on. */
    private final ArrayList<@Nullable Row> window = new ArrayList<>();
    private int head;
    private final Memory memory;
    private long bytes;
    private long first;
    private boolean ended;
    private int open;
    /** Whether there are readers that have rows in common, for as long as they like. */
    private boolean lends;

    /**
     * @param again makes the input anew
     */
    SharedRows(QueryRun run, Grid grid, Operator input, Supplier<Operator> again, int expected) {
        this.run = run;
        this.grid = grid;
        this.input = input;
        this.again = again;
        this.expected = expected;
        this.memory = new Memory(run.context.budget(), "Shared");
    }

    Operator reader(int number) {
        Reader r = new Reader(number);
        readers.add(r);
        open++;
        return r;
    }

    private void trim() {
        long slowest = Long.MAX_VALUE;
        for (Reader r : readers) {
            if (!r.over && r.own == null) {
                slowest = Math.min(slowest, r.position);
            }
        }
        // Readers that are yet to be built will want everything.
        if (readers.size() < expected) {
            return;
        }
        while (head < window.size() && first < slowest) {
            letGo(head++);
            first++;
        }
        if (head > 64 && head > window.size() / 2) {
            window.subList(0, head).clear();
            head = 0;
        }
    }

    /** Whether all others have had the row that this reader is at, or do not want it. */
    private boolean isLast(Reader reader) {
        if (readers.size() < expected) {
            return false;
        }
        for (Reader r : readers) {
            if (r != reader && !r.over && r.own == null && r.position <= reader.position) {
                return false;
            }
        }
        return true;
    }

    private void letGo(int i) {
        Row row = window.set(i, null);
        if (row != null) {
            bytes -= row.bytes();
            memory.release(row.bytes());
            run.drop(row.values.length);
        }
    }

    /** Lets go of all that is held; whoever wanted it helps himself. */
    private void detachSlow(long position) {
        for (Reader r : readers) {
            if (!r.over && r.own == null && r.position < position) {
                r.own = again.get();
            }
        }
        trim();
    }

    /** What one of the readers pulls. */
    final class Reader extends Operator {
        long position;
        boolean over;
        /** Its own input, once it has fallen behind; the rows it had are yet to be passed over. */
        @Nullable
        Operator own;
        boolean caughtUp;
        /** Whether whoever pulls changes no row. */
        private boolean lent;

        Reader(int number) {
            super(SharedRows.this.run, SharedRows.this.grid, "Shared", "#" + number, readers.isEmpty() ? List.of(input) : List.of());
        }

        /** Rows are not copied from now on: whoever pulls does not change them. To be said before anything is pulled. */
        void lend() {
            lent = true;
            lends = true;
        }

        /** What this reader gets of a row that is held. */
        private Row given(Row held, boolean last) {
            return lent || last && !lends ? held : held.copy();
        }

        @Override
        @Nullable
        Row produce() {
            Operator mine = own;
            if (mine != null) {
                if (!caughtUp) {
                    caughtUp = true;
                    for (long i = 0; i < position && mine.next() != null; i++) {
                        SharedRows.this.run.context.check();
                    }
                }
                return mine.next();
            }
            int index = Math.toIntExact(position - first);
            if (head + index < window.size()) {
                Row held = Objects.requireNonNull(window.get(head + index));
                boolean last = isLast(this);
                position++;
                Row given = given(held, last);
                trim();
                return given;
            }
            if (ended) {
                return null;
            }
            Row row = input.next();
            if (row == null) {
                ended = true;
                return null;
            }
            if (head == window.size() && isLast(this)) {
                // Nobody else is left.
                position++;
                first++;
                return row;
            }
            SharedRows.this.memory.reserve(row.bytes());
            SharedRows.this.run.hold(row.values.length);
            window.add(row);
            bytes += row.bytes();
            position++;
            Row given = given(row, false);
            trim();
            if (bytes > HELD && readers.size() == expected) {
                detachSlow(position);
            }
            return given;
        }

        @Override
        void release() {
            over = true;
            Operator mine = own;
            if (mine != null) {
                mine.close();
            }
            if (--open == 0) {
                for (; head < window.size(); head++) {
                    letGo(head);
                }
                window.clear();
                SharedRows.this.memory.close();
            } else {
                trim();
            }
        }
    }
}
