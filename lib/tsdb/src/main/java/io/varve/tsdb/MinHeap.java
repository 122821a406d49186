package io.varve.tsdb;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A binary heap whose order among equals is fixed: that of the textbook's sift-up and sift-down, which is also Go's. Which of two
 * samples at one time survives a merge depends on it, so that merged blocks equal Prometheus'. One thread.
 */
final class MinHeap<T> {
    private final List<T> items = new ArrayList<>();
    private final Comparator<T> order;

    MinHeap(Comparator<T> order) {
        this.order = order;
    }

    boolean isEmpty() {
        return items.isEmpty();
    }

    @Nullable
    T peek() {
        return items.isEmpty() ? null : items.getFirst();
    }

    void push(T item) {
        items.add(item);
        int i = items.size() - 1;
        while (i > 0) {
            int parent = (i - 1) / 2;
            if (order.compare(items.get(i), items.get(parent)) >= 0) {
                break;
            }
            swap(i, parent);
            i = parent;
        }
    }

    T pop() {
        int last = items.size() - 1;
        swap(0, last);
        int i = 0;
        while (true) {
            int child = 2 * i + 1;
            if (child >= last) {
                break;
            }
            if (child + 1 < last && order.compare(items.get(child + 1), items.get(child)) < 0) {
                child++;
            }
            if (order.compare(items.get(child), items.get(i)) >= 0) {
                break;
            }
            swap(i, child);
            i = child;
        }
        return items.removeLast();
    }

    private void swap(int a, int b) {
        T t = items.get(a);
        items.set(a, items.get(b));
        items.set(b, t);
    }
}
