package io.varve.querier.dedup;

import io.varve.model.SampleBuffer;
import java.util.List;

/**
 * The union of all replicas' samples by time, one per time. Which of several samples of one time is taken follows Prometheus' chained
 * merge: the replica that speaks gives way to another that stands at the same time, and a binary heap orders those that wait.
 */
public final class Chain {
    private final List<SampleBuffer> replicas;
    private final int[] at;
    /** Replicas that wait, by the time they stand at; the order among equal times is the heap's. */
    private final int[] heap;
    private int waiting;

    private Chain(List<SampleBuffer> replicas) {
        this.replicas = replicas;
        at = new int[replicas.size()];
        heap = new int[replicas.size() + 1];
    }

    /** Appends the union of {@code replicas}, each with rising times, to {@code out}. */
    public static void merge(List<SampleBuffer> replicas, SampleBuffer out) {
        new Chain(replicas).run(out);
    }

    private void run(SampleBuffer out) {
        for (int r = 1; r < at.length; r++) {
            if (replicas.get(r).size > 0) {
                push(r);
            }
        }
        int speaks = 0;
        int from = 0; // samples from here to at[speaks] are said but not yet copied
        long last = Long.MIN_VALUE;
        boolean said = false;
        while (true) {
            SampleBuffer b = replicas.get(speaks);
            int i = at[speaks];
            if (i < b.size) {
                long t = b.timestamps[i];
                if (said && t == last) { // another has said it
                    Samples.append(b, from, i, out);
                    from = ++at[speaks];
                    continue;
                }
                if (waiting == 0 || t < timeOf(heap[0])) {
                    last = t;
                    said = true;
                    at[speaks]++;
                    continue;
                }
            }
            Samples.append(b, from, i, out);
            if (i < b.size) {
                push(speaks);
            } else if (waiting == 0) {
                return;
            }
            speaks = pop();
            from = at[speaks];
            long t = timeOf(speaks);
            at[speaks]++;
            if (said && t == last) {
                from++;
            }
            last = t;
            said = true;
        }
    }

    private long timeOf(int r) {
        return replicas.get(r).timestamps[at[r]];
    }

    private void push(int r) {
        int j = waiting++;
        heap[j] = r;
        while (j > 0) {
            int parent = (j - 1) / 2;
            if (timeOf(heap[j]) >= timeOf(heap[parent])) {
                break;
            }
            swap(parent, j);
            j = parent;
        }
    }

    private int pop() {
        int n = --waiting;
        swap(0, n);
        int i = 0;
        while (2 * i + 1 < n) {
            int j = 2 * i + 1;
            if (j + 1 < n && timeOf(heap[j + 1]) < timeOf(heap[j])) {
                j++;
            }
            if (timeOf(heap[j]) >= timeOf(heap[i])) {
                break;
            }
            swap(i, j);
            i = j;
        }
        return heap[n];
    }

    private void swap(int i, int j) {
        int x = heap[i];
        heap[i] = heap[j];
        heap[j] = x;
    }
}
