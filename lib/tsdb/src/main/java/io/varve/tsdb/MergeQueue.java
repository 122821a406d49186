package io.varve.tsdb;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntBinaryOperator;

/**
 * The sets of a merge by their heads. Sets with equal heads come in the order in which Prometheus' merge of series sets takes them out of its heap:
 * that of the sets at first, and another once a set had a series of its own. Which of two samples at one time survives, and with whom a penalty merge
 * begins, depends on it. One thread.
 */
final class MergeQueue {
    private final IntBinaryOperator order;
    private final MinHeap<Head> heap = new MinHeap<>(this::compare);
    private final Head[] heads;
    private final List<Head> taken = new ArrayList<>();
    private long groups;

    private static final class Head {
        final int set;
        /** Heads of one group are equal and need not be compared again. */
        long group;

        Head(int set) {
            this.set = set;
        }
    }

    /** @param order compares the heads of two sets, given by their numbers */
    MergeQueue(int sets, IntBinaryOperator order) {
        this.order = order;
        heads = new Head[sets];
        for (int i = 0; i < sets; i++) {
            heads[i] = new Head(i);
        }
    }

    private int compare(Head a, Head b) {
        if (a.group == b.group) {
            return 0;
        }
        int c = order.applyAsInt(a.set, b.set);
        if (c == 0) {
            a.group = b.group;
        }
        return c;
    }

    /** The set has another head. */
    void add(int set) {
        heads[set].group = ++groups;
        heap.push(heads[set]);
    }

    /** Takes out the sets that have the least head; {@link #set} says which. How many, 0 at the end. */
    int take() {
        taken.clear();
        for (Head least = heap.peek(); least != null && (taken.isEmpty() || compare(taken.getFirst(), least) == 0); least = heap.peek()) {
            taken.add(heap.pop());
        }
        return taken.size();
    }

    /** The number of the set that was taken as the {@code i}-th, until the next {@link #take}. */
    int set(int i) {
        return taken.get(i).set;
    }
}
