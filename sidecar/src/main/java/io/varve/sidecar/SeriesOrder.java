package io.varve.sidecar;

import io.varve.model.Labels;
import io.varve.model.MemoryBudget;
import io.varve.model.UnavailableException;
import io.varve.store.SeriesSink;
import io.varve.store.StoreSeries;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/**
 * Passes series on in the order of their final labels. Prometheus sends them in the order of their own labels; external labels come in, replica
 * labels go out, and the order may be another.
 *
 * <p>
 * <b>Streaming.</b> Where no series has a label that comes in or goes out, the order changes only between a series and those whose labels begin with all
 * of its own: of {@code {a="1"}} and {@code {a="1", c="2"}} with {@code b="x"} coming in, the first is the smaller before and after; with
 * {@code d="x"} coming in it is the greater after, since {@code c < d}. Once a series comes that does not begin with all of an earlier one's labels, none
 * that follows can be smaller than the earlier one. So few series wait. <b>Whole.</b> Otherwise all are held, reserved from the budget, and sorted.
 */
final class SeriesOrder {
    /** Bytes that a held series costs beside its chunks, roughly. */
    private static final int SERIES_BYTES = 400;

    private final Labels external;
    private final List<String> without;
    private final boolean streaming;
    private final SeriesSink sink;
    private final MemoryBudget budget;
    private final long limit;
    private final PriorityQueue<Held> held = new PriorityQueue<>(
            Comparator.comparing((Held h) -> h.series.labels()).thenComparingLong(h -> h.number));
    private long reserved;
    private long number;
    private long distinct;
    private @Nullable Labels last;

    /** A series that waits. */
    private record Held(Labels original, StoreSeries series, long number, long bytes) {
    }

    /**
     * @param external labels that come in; they win over equal names
     * @param without labels that go out
     * @param streaming whether no series has any of both
     * @param limit series at most, 0 = all
     */
    SeriesOrder(Labels external, List<String> without, boolean streaming, SeriesSink sink, MemoryBudget budget, long limit) {
        this.external = external.without(without);
        this.without = without;
        this.streaming = streaming;
        this.sink = sink;
        this.budget = budget;
        this.limit = limit;
    }

    /** The labels that a series will have. */
    Labels finalLabels(Labels original) {
        return original.without(without).overriddenBy(external);
    }

    /** Whether enough was passed on. */
    boolean full() {
        return limit > 0 && distinct > limit;
    }

    /** Takes the next series, in Prometheus' order; the same labels may come several times in a row. */
    void add(Labels original, StoreSeries series) {
        long bytes = SERIES_BYTES;
        for (io.varve.store.StoreChunk c : series.chunks()) {
            bytes += c.bytes() + 100;
        }
        budget.reserve(bytes, "series that wait for their order");
        reserved += bytes;
        if (streaming) {
            release(original);
        }
        held.add(new Held(original, series, number++, bytes));
    }

    /** Passes on all that is held. */
    void finish() {
        for (Held h = held.poll(); h != null; h = held.poll()) {
            pass(h);
        }
    }

    /** Gives back what is reserved; to be called in any case. */
    void close() {
        budget.release(reserved);
        reserved = 0;
        held.clear();
    }

    private void release(Labels next) {
        for (Held least = held.peek(); least != null && !beginsWith(next, least.original); least = held.peek()) {
            held.poll();
            pass(least);
        }
    }

    private static boolean beginsWith(Labels labels, Labels start) {
        if (start.size() > labels.size()) {
            return false;
        }
        for (int i = 0; i < start.size(); i++) {
            if (!start.name(i).equals(labels.name(i)) || !start.value(i).equals(labels.value(i))) {
                return false;
            }
        }
        return true;
    }

    private void pass(Held h) {
        Labels labels = h.series.labels();
        Labels before = last;
        int c = before == null ? -1 : before.compareTo(labels);
        if (c > 0) {
            // A label that nobody had a moment ago has come up; what was sent cannot be taken back.
            throw new UnavailableException(
                    "series of " + labels + " got a label that is external or to be removed while they were read; ask again");
        }
        if (c != 0) {
            distinct++;
            last = labels;
        }
        budget.release(h.bytes);
        reserved -= h.bytes;
        if (limit <= 0 || distinct <= limit) {
            sink.series(h.series);
        }
    }

    /** Series of one label set that were held apart, in order. For skip_chunks. */
    static List<Labels> distinct(List<Labels> labels) {
        List<Labels> sorted = new ArrayList<>(labels);
        sorted.sort(Comparator.naturalOrder());
        List<Labels> out = new ArrayList<>(sorted.size());
        for (Labels l : sorted) {
            if (out.isEmpty() || !out.getLast().equals(l)) {
                out.add(l);
            }
        }
        return out;
    }
}
