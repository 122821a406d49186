package io.varve.model;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The buckets of one sign in a form that is easy to compute with: rising indexes, a count and the rounding error of that count.
 * Reused; one thread.
 */
final class BucketSide {
    // Sums are many, one for each group and step, and mostly one side of them stays empty.
    private static final int[] NONE = {};
    int[] index = NONE;
    double[] count = FloatHistogram.NO_BUCKETS;
    /** What the additions to {@link #count} lost (Kahan, Neumaier). */
    double[] lost = FloatHistogram.NO_BUCKETS;
    int size;
    /** The spans that {@link #index} was laid out from, where it is as it was then: neighbouring histograms share them. */
    private @Nullable List<Span> layout;
    /** The buckets that are not empty, and where runs of them begin and end, of the last {@link #pack}. */
    private double[] packed = FloatHistogram.NO_BUCKETS;
    private int packedSize;
    private int[] runs = NONE;
    private List<Span> packedSpans = List.of();

    private void room(int n) {
        if (index.length < n) {
            int capacity = Math.max(n, index.length * 2);
            index = Arrays.copyOf(index, capacity);
            count = Arrays.copyOf(count, capacity);
            lost = Arrays.copyOf(lost, capacity);
        }
    }

    void set(List<Span> spans, double[] buckets) {
        int n = buckets.length;
        if (spans != layout || size != n) {
            size = 0;
            room(n);
            int at = 0;
            for (int s = 0; s < spans.size() && size < n; s++) {
                Span span = spans.get(s);
                at += span.offset();
                for (int end = Math.min(n, size + span.length()); size < end; size++) {
                    index[size] = at++;
                }
            }
            layout = spans;
        }
        System.arraycopy(buckets, 0, count, 0, size);
        Arrays.fill(lost, 0, size, 0);
    }

    void set(BucketSide other) {
        room(other.size);
        System.arraycopy(other.index, 0, index, 0, other.size);
        System.arraycopy(other.count, 0, count, 0, other.size);
        System.arraycopy(other.lost, 0, lost, 0, other.size);
        size = other.size;
        layout = other.layout;
    }

    /** Buckets side by side from index {@code first} on: {@code n} counts from {@code at} on, and what was lost of them, nothing where null. */
    void dense(int first, double[] counts, double @Nullable [] losses, int at, int n) {
        room(n);
        for (int i = 0; i < n; i++) {
            index[i] = first + i;
        }
        System.arraycopy(counts, at, count, 0, n);
        if (losses == null) {
            Arrays.fill(lost, 0, n, 0);
        } else {
            System.arraycopy(losses, at, lost, 0, n);
        }
        size = n;
        layout = null;
    }

    /** Merges buckets so that the resolution becomes that of {@code to}. */
    void reduce(int from, int to) {
        if (from == to) {
            return;
        }
        layout = null;
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
        layout = null;
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

    /** Adds {@code sign} times the buckets from {@code first} on. */
    void add(BucketSide other, int first, double sign) {
        cover(other.index, first, other.size);
        int at = 0;
        for (int b = first; b < other.size; b++, at++) {
            while (index[at] != other.index[b]) {
                at++;
            }
            addTo(at, sign * other.count[b]);
            lost[at] += sign * other.lost[b];
        }
    }

    /** The same with buckets as a histogram has them; runs are found and not bucket after bucket. */
    void add(List<Span> spans, double[] buckets, double sign) {
        if (spans == layout && size == buckets.length) {
            for (int i = 0; i < buckets.length; i++) {
                addTo(i, sign * buckets[i]);
            }
            return;
        }
        int at = 0;
        int b = 0;
        for (int s = 0; s < spans.size() && b < buckets.length; s++) {
            Span span = spans.get(s);
            at += span.offset();
            int length = Math.min(span.length(), buckets.length - b);
            int from = run(at, length);
            if (from < 0) {
                cover(spans, buckets.length);
                from = run(at, length);
            }
            for (int i = 0; i < length; i++) {
                addTo(from + i, sign * buckets[b + i]);
            }
            b += length;
            at += length;
        }
    }

    /** Where {@code length} consecutive indexes from {@code first} on lie; negative where one of them is missing. */
    private int run(int first, int length) {
        if (length == 0) {
            return 0;
        }
        int from = Arrays.binarySearch(index, 0, size, first);
        return from >= 0 && from + length <= size && index[from + length - 1] == first + length - 1 ? from : -1;
    }

    /** Adds the totals of another side, which stays as it is. */
    void add(BucketSide other) {
        cover(other.index, 0, other.size);
        int at = 0;
        for (int b = 0; b < other.size; b++, at++) {
            while (index[at] != other.index[b]) {
                at++;
            }
            addTo(at, other.total(b));
        }
    }

    private void cover(List<Span> spans, int n) {
        BucketSide wanted = new BucketSide();
        wanted.set(spans, new double[n]);
        cover(wanted.index, 0, wanted.size);
    }

    /** Puts an empty bucket wherever there is none of {@code indexes[from..to)}; what is empty in the end is left out of the result. */
    private void cover(int[] indexes, int from, int to) {
        int missing = 0;
        for (int i = 0, j = from; j < to; j++) {
            while (i < size && index[i] < indexes[j]) {
                i++;
            }
            missing += i < size && index[i] == indexes[j] ? 0 : 1;
        }
        if (missing == 0) {
            return;
        }
        room(size + missing);
        layout = null;
        int i = size - 1;
        size += missing;
        int o = size - 1;
        // From the end, so that nothing is written over that is still to be moved; what is left before that stays where it is.
        for (int j = to - 1; j >= from; j--, o--) {
            while (i >= 0 && index[i] > indexes[j]) {
                move(i--, o--);
            }
            if (i >= 0 && index[i] == indexes[j]) {
                move(i--, o);
            } else {
                index[o] = indexes[j];
                count[o] = 0;
                lost[o] = 0;
            }
        }
    }

    private void move(int from, int to) {
        index[to] = index[from];
        count[to] = count[from];
        lost[to] = lost[from];
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
            layout = null;
            System.arraycopy(index, n, index, 0, size - n);
            System.arraycopy(count, n, count, 0, size - n);
            System.arraycopy(lost, n, lost, 0, size - n);
            size -= n;
        }
    }

    double total(int i) {
        return Double.isInfinite(count[i]) ? count[i] : count[i] + lost[i];
    }

    /** Collects the buckets that are not empty, for {@link #spans} and {@link #buckets}. */
    void pack() {
        if (packed.length < size) {
            packed = new double[size];
        }
        int o = 0;
        int run = 0;
        int next = 0;
        for (int i = 0; i < size; i++) {
            double v = total(i);
            if (v == 0) {
                continue;
            }
            packed[o++] = v;
            int at = index[i];
            if (o == 1 || at != next) {
                if (run + 4 > runs.length) {
                    runs = Arrays.copyOf(runs, Math.max(8, runs.length * 2));
                }
                if (o > 1) {
                    runs[run++] = next;
                }
                runs[run++] = at;
            }
            next = at + 1;
        }
        packedSize = o;
        if (o > 0) {
            runs[run++] = next;
        }
        if (!isPackedAs(run)) {
            Span[] spans = new Span[run / 2];
            int end = 0;
            for (int s = 0; s < spans.length; s++) {
                spans[s] = new Span(runs[2 * s] - end, runs[2 * s + 1] - runs[2 * s]);
                end = runs[2 * s + 1];
            }
            packedSpans = List.of(spans);
        }
    }

    /** Whether the spans of the last time are those of the runs: neighbouring results share them. */
    private boolean isPackedAs(int run) {
        if (packedSpans.size() != run / 2) {
            return false;
        }
        int end = 0;
        for (int s = 0; s < run / 2; s++) {
            Span span = packedSpans.get(s);
            if (span.offset() != runs[2 * s] - end || span.length() != runs[2 * s + 1] - runs[2 * s]) {
                return false;
            }
            end = runs[2 * s + 1];
        }
        return true;
    }

    /** How many numbers there is room for in what was packed. */
    int packedLength() {
        return packed.length;
    }

    /** The spans of what was packed. */
    List<Span> spans() {
        return packedSpans;
    }

    /** The counts of what was packed. */
    double[] buckets() {
        return packedSize == 0 ? FloatHistogram.NO_BUCKETS : Arrays.copyOf(packed, packedSize);
    }
}
