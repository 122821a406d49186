package io.varve.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The buckets of one sign in a form that is easy to compute with: rising indexes, a count and the rounding error of that count.
 * Reused; one thread.
 */
final class BucketSide {
    int[] index = new int[0];
    double[] count = new double[0];
    /** What the additions to {@link #count} lost (Kahan, Neumaier). */
    double[] lost = new double[0];
    int size;

    private void room(int n) {
        if (index.length < n) {
            int capacity = Math.max(n, index.length * 2);
            index = Arrays.copyOf(index, capacity);
            count = Arrays.copyOf(count, capacity);
            lost = Arrays.copyOf(lost, capacity);
        }
    }

    void set(List<Span> spans, double[] buckets) {
        size = 0;
        room(buckets.length);
        int at = 0;
        int b = 0;
        for (int s = 0; s < spans.size() && b < buckets.length; s++) {
            Span span = spans.get(s);
            at += span.offset();
            for (int i = 0; i < span.length() && b < buckets.length; i++) {
                index[b] = at++;
                count[b] = buckets[b];
                lost[b] = 0;
                b++;
            }
        }
        size = b;
    }

    void set(BucketSide other) {
        room(other.size);
        System.arraycopy(other.index, 0, index, 0, other.size);
        System.arraycopy(other.count, 0, count, 0, other.size);
        System.arraycopy(other.lost, 0, lost, 0, other.size);
        size = other.size;
    }

    /** Merges buckets so that the resolution becomes that of {@code to}. */
    void reduce(int from, int to) {
        if (from == to) {
            return;
        }
        int o = -1;
        for (int i = 0; i < size; i++) {
            merge(o, i, ExponentialBounds.reduced(index[i], from, to));
            o = lastWritten;
        }
        size = o + 1;
    }

    private int lastWritten;

    /** Puts bucket {@code i} as index {@code target} behind {@code o}, or adds it to {@code o} where that has the index. */
    private void merge(int o, int i, int target) {
        if (o >= 0 && index[o] == target) {
            addTo(o, count[i]);
            lost[o] += lost[i];
            lastWritten = o;
        } else {
            index[o + 1] = target;
            count[o + 1] = count[i];
            lost[o + 1] = lost[i];
            lastWritten = o + 1;
        }
    }

    /** Maps buckets of custom bounds onto fewer bounds, all of which are among the old ones. */
    void remap(double[] bounds, double[] fewer) {
        int o = -1;
        int t = 0;
        for (int i = 0; i < size; i++) {
            double upper = index[i] < bounds.length ? bounds[index[i]] : Double.POSITIVE_INFINITY;
            while (t < fewer.length && fewer[t] < upper) {
                t++;
            }
            merge(o, i, t);
            o = lastWritten;
        }
        size = o + 1;
    }

    private void addTo(int i, double inc) {
        double s = count[i];
        double t = s + inc;
        if (Double.isInfinite(t)) {
            lost[i] = 0;
        } else {
            lost[i] += Math.abs(s) >= Math.abs(inc) ? s - t + inc : inc - t + s;
        }
        count[i] = t;
    }

    /** Adds {@code sign} times the buckets from {@code first} on; {@code scratch} is used where new buckets come in. */
    void add(BucketSide other, int first, double sign, BucketSide scratch) {
        int n = other.size - first;
        if (n <= 0) {
            return;
        }
        if (first == 0 && n == size && Arrays.equals(index, 0, size, other.index, 0, size)) {
            for (int i = 0; i < n; i++) {
                addTo(i, sign * other.count[i]);
                lost[i] += sign * other.lost[i];
            }
            return;
        }
        scratch.set(this);
        room(size + n);
        int a = 0;
        int b = first;
        int o = 0;
        while (a < scratch.size || b < other.size) {
            boolean left = b >= other.size || a < scratch.size && scratch.index[a] <= other.index[b];
            if (left) {
                index[o] = scratch.index[a];
                count[o] = scratch.count[a];
                lost[o] = scratch.lost[a];
                if (b < other.size && other.index[b] == index[o]) {
                    addTo(o, sign * other.count[b]);
                    lost[o] += sign * other.lost[b];
                    b++;
                }
                a++;
            } else {
                index[o] = other.index[b];
                count[o] = sign * other.count[b];
                lost[o] = sign * other.lost[b];
                b++;
            }
            o++;
        }
        size = o;
    }

    void scale(double factor) {
        for (int i = 0; i < size; i++) {
            count[i] *= factor;
            lost[i] *= factor;
        }
    }

    /** Drops the buckets before {@code n}. */
    void dropFirst(int n) {
        if (n > 0) {
            System.arraycopy(index, n, index, 0, size - n);
            System.arraycopy(count, n, count, 0, size - n);
            System.arraycopy(lost, n, lost, 0, size - n);
            size -= n;
        }
    }

    double total(int i) {
        return Double.isInfinite(count[i]) ? count[i] : count[i] + lost[i];
    }

    /** The spans of the buckets that are not empty. */
    List<Span> spans() {
        List<Span> out = new ArrayList<>(4);
        int start = 0;
        int length = 0;
        int next = 0;
        for (int i = 0; i < size; i++) {
            if (total(i) == 0) {
                continue;
            }
            if (length > 0 && index[i] == start + length) {
                length++;
                continue;
            }
            if (length > 0) {
                out.add(new Span(start - next, length));
                next = start + length;
            }
            start = index[i];
            length = 1;
        }
        if (length > 0) {
            out.add(new Span(start - next, length));
        }
        return List.copyOf(out);
    }

    /** The counts that are not 0. */
    double[] buckets() {
        double[] out = new double[size];
        int o = 0;
        for (int i = 0; i < size; i++) {
            double v = total(i);
            if (v != 0) {
                out[o++] = v;
            }
        }
        return o == 0 ? FloatHistogram.NO_BUCKETS : o == size ? out : Arrays.copyOf(out, o);
    }
}
