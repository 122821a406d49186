package io.varve.querier.dedup;

import io.varve.model.SampleBuffer;
import java.util.List;

/**
 * The union of all replicas' samples by time, one per time. Which of several samples of one time is taken follows Prometheus' chained
 * merge: the replica that speaks gives way to another that stands at the same time, a binary heap orders those that wait, and a jump forward
 * orders them anew.
 */
public final class Chain {
    /**
     * What a reader of steps looks at: {@code before} milliseconds before each step. Where that leaves something out between two steps the
     * reader jumps over it.
     *
     * @param first the first step
     * @param step distance of the steps, 0 for one alone
     */
    public record Steps(long first, long step, long before) {
    }

    private static final int NOBODY = -1;

    private final List<SampleBuffer> replicas;
    /** Where each replica stands; that of the replica which speaks has been said. */
    private final int[] at;
    /** Replicas that wait, by the time they stand at; the order among equal times is the heap's. */
    private final int[] heap;
    private int waiting;
    private boolean started;
    private int speaks = NOBODY;
    private long time = Long.MIN_VALUE;
    /** Whether the same replica said the sample before: only then is what a histogram says of resets true. */
    private boolean consecutive;

    /** Before the first sample of {@code replicas}, each with rising times. */
    Chain(List<SampleBuffer> replicas) {
        this.replicas = replicas;
        at = new int[replicas.size()];
        heap = new int[replicas.size() + 1];
    }

    /** Appends the union of {@code replicas}, each with rising times, to {@code out}. */
    public static void merge(List<SampleBuffer> replicas, SampleBuffer out) {
        Chain c = new Chain(replicas);
        if (!c.next()) {
            return;
        }
        // What one replica says in a row is copied at once.
        boolean more = true;
        while (more) {
            int r = c.speaks;
            int from = c.at[r];
            int to = from;
            boolean changed = !c.consecutive;
            do {
                to++;
                more = c.next();
            } while (more && c.consecutive && c.at[r] == to);
            int start = out.size;
            Samples.append(replicas.get(r), from, to, out);
            if (changed) {
                Samples.forgetHint(out, start);
            }
        }
    }

    /** As {@link #merge}, as far as a reader of these steps comes to see it. */
    public static void merge(List<SampleBuffer> replicas, Steps steps, SampleBuffer out) {
        Chain c = new Chain(replicas);
        if (!c.next()) {
            return;
        }
        long last = Long.MIN_VALUE;
        for (long t = steps.first;; t += steps.step) {
            if (t - steps.before > last) {
                if (!c.seek(t - steps.before)) {
                    return;
                }
                last = c.append(out);
            }
            while (last < t || steps.step == 0) {
                if (!c.next()) {
                    return;
                }
                last = c.append(out);
            }
        }
    }

    /** Appends the sample that was stepped to; returns its time. */
    long append(SampleBuffer out) {
        Samples.append(replicas.get(speaks), at[speaks], at[speaks] + 1, out);
        if (!consecutive) {
            Samples.forgetHint(out, out.size - 1);
        }
        return time;
    }

    /** Steps to the next sample; false where there is none. */
    boolean next() {
        consecutive = started;
        if (!started) {
            started = true;
            for (int r = 1; r < at.length; r++) {
                if (replicas.get(r).size > 0) {
                    push(r);
                }
            }
            speaks = 0;
            at[0] = -1;
        } else if (speaks == NOBODY) {
            return false;
        }
        while (true) {
            if (++at[speaks] < replicas.get(speaks).size) {
                long t = timeOf(speaks);
                if (t == time) { // another has said it
                    continue;
                }
                if (waiting == 0 || t < timeOf(heap[0])) {
                    time = t;
                    return true;
                }
                push(speaks);
            } else if (waiting == 0) {
                speaks = NOBODY;
                return false;
            }
            speaks = pop();
            consecutive = false;
            if (timeOf(speaks) != time) {
                time = timeOf(speaks);
                return true;
            }
        }
    }

    /** Jumps to the first sample at or after {@code t}, or stays where that is already; false where there is none. */
    boolean seek(long t) {
        if (speaks != NOBODY && time >= t) {
            return true;
        }
        started = true;
        consecutive = false;
        waiting = 0;
        for (int r = 0; r < at.length; r++) {
            at[r] = Samples.lowerBound(replicas.get(r), at[r], t);
            if (at[r] < replicas.get(r).size) {
                push(r);
            }
        }
        speaks = waiting == 0 ? NOBODY : pop();
        if (speaks != NOBODY) {
            time = timeOf(speaks);
        }
        return speaks != NOBODY;
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
