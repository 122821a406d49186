package io.varve.promql.function;

/** {@code min_over_time}, {@code max_over_time} and when those were, with a queue that holds only what can still be the extreme. */
public final class Extreme implements RangeFunction {
    /** Samples between two looks at whether the query is over. */
    private static final int CHECKED = 1 << 17;

    private final boolean max;
    private final boolean time;
    private final Runnable check;
    private int[] queue = new int[0];

    /**
     * @param max whether the greatest is meant, else the least
     * @param time whether its time is meant, in seconds; of equal ones the last counts then
     * @param check called now and then; throws where the query is over
     */
    public Extreme(boolean max, boolean time, Runnable check) {
        this.max = max;
        this.time = time;
        this.check = check;
    }

    @Override
    public int bytesPerSample() {
        return 4;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        queue = Room.ints(queue, w.size, check);
        int head = 0;
        int tail = 0;
        int end = 0;
        double[] v = w.values;
        int checked = 0;
        for (int i = 0; i < w.grid.count(); i++) {
            int lo = w.lo[i];
            int hi = w.hi[i];
            if (hi - checked > CHECKED) {
                check.run();
                checked = hi;
            }
            for (; end < hi; end++) {
                while (tail > head && (end < lo || isWorse(v[queue[tail - 1]], v[end]))) {
                    tail--;
                }
                if (head == tail) {
                    head = 0;
                    tail = 0;
                }
                queue[tail++] = end;
            }
            while (head < tail && queue[head] < lo) {
                head++;
            }
            if (hi == lo) {
                continue;
            }
            if (MixedTypes.hasHistograms(w, i)) {
                MixedTypes.noteIgnored(w, notes);
            }
            int best = queue[head];
            out.values[i] = time ? w.times[best] / 1000.0 : v[best];
        }
    }

    /** Whether a value can never be the extreme once a later one is there; not-a-number is worse than any number. */
    private boolean isWorse(double old, double next) {
        if (Double.isNaN(old)) {
            return time || !Double.isNaN(next);
        }
        if (time) {
            return max ? old <= next : old >= next;
        }
        return max ? old < next : old > next;
    }
}
