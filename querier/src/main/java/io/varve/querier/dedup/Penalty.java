package io.varve.querier.dedup;

import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import java.util.List;

/**
 * Thanos' merge of replicas: pair by pair, left to right. Who spoke last is read on; the other must be ahead of it by twice the
 * last distance before it may speak. For counter functions a replica that stands lower than what was said last is lifted.
 *
 * <p>
 * A tree of cursors over arrays rather than repeated passes: lifting reaches down into all replicas while they are read.
 */
public final class Penalty {
    /** How far ahead the silent replica is read after the very first sample. */
    private static final long INITIAL_PENALTY_MILLIS = 5000;
    private static final long END = Long.MAX_VALUE;

    private Penalty() {
    }

    /**
     * Appends the merged samples.
     *
     * @param replicas each with rising times
     * @param counter whether replicas are lifted so that a change of replica is no reset
     */
    public static void merge(List<SampleBuffer> replicas, boolean counter, SampleBuffer out) {
        if (replicas.size() == 1) {
            Samples.append(replicas.get(0), 0, replicas.get(0).size, out);
            return;
        }
        Cursor c = new Leaf(replicas.get(0), counter);
        for (SampleBuffer r : replicas.subList(1, replicas.size())) {
            c = new Pair(c, new Leaf(r, counter));
        }
        while (c.next()) {
            c.emit(out);
        }
    }

    private abstract static class Cursor {
        /** Time of the current sample; {@link #END} once exhausted, {@link Long#MIN_VALUE} before the first. */
        long time = Long.MIN_VALUE;

        abstract boolean next();

        abstract boolean seek(long t);

        abstract boolean isFloat();

        abstract double value();

        abstract void lift(double said);

        abstract void emit(SampleBuffer out);
    }

    private static final class Leaf extends Cursor {
        private final SampleBuffer in;
        private final boolean counter;
        private int at = -1;
        private double lifted;

        Leaf(SampleBuffer in, boolean counter) {
            this.in = in;
            this.counter = counter;
        }

        @Override
        boolean next() {
            return moveTo(at + 1);
        }

        @Override
        boolean seek(long t) {
            int i = Math.max(at, 0);
            while (i < in.size && in.timestamps[i] < t) {
                i++;
            }
            return moveTo(i);
        }

        private boolean moveTo(int i) {
            at = Math.min(i, in.size);
            time = at < in.size ? in.timestamps[at] : END;
            return at < in.size;
        }

        @Override
        boolean isFloat() {
            return at >= 0 && at < in.size && in.histogram(at) == null;
        }

        @Override
        double value() {
            return in.values[at] + lifted;
        }

        @Override
        void lift(double said) {
            if (counter && said > value()) {
                lifted += said - value();
            }
        }

        @Override
        void emit(SampleBuffer out) {
            FloatHistogram h = in.histogram(at);
            if (h != null) {
                out.add(time, h);
            } else if (counter) {
                out.add(time, value());
            } else {
                out.add(time, in.values[at]); // bit for bit, stale markers too
            }
            if (in.startTimestamps != null) {
                out.startTimestampArray()[out.size - 1] = in.startTimestamps[at];
            }
        }
    }

    private static final class Pair extends Cursor {
        private final Cursor a;
        private final Cursor b;
        private boolean aLeft;
        private boolean bLeft;
        private long lastT = Long.MIN_VALUE;
        private long penaltyA;
        private long penaltyB;
        private boolean useA = true;

        Pair(Cursor a, Cursor b) {
            this.a = a;
            this.b = b;
            aLeft = a.next();
            bLeft = b.next();
        }

        @Override
        boolean next() {
            Cursor before = useA ? a : b;
            boolean wasA = useA;
            boolean wasFloat = (useA ? aLeft : bLeft) && before.isFloat();
            double said = wasFloat ? before.value() : 0;
            boolean more = advance();
            if (useA != wasA && wasFloat) {
                if (aLeft && a.isFloat()) {
                    a.lift(said);
                }
                if (bLeft && b.isFloat()) {
                    b.lift(said);
                }
            }
            return more;
        }

        private boolean advance() {
            if (aLeft) {
                aLeft = a.seek(lastT + 1 + penaltyA);
            }
            if (bLeft) {
                bLeft = b.seek(lastT + 1 + penaltyB);
            }
            if (!aLeft) {
                useA = false;
                if (bLeft) {
                    lastT = b.time;
                    penaltyB = 0;
                }
                time = bLeft ? b.time : END;
                return bLeft;
            }
            if (!bLeft) {
                useA = true;
                lastT = a.time;
                penaltyA = 0;
                time = lastT;
                return true;
            }
            useA = a.time <= b.time;
            long t = useA ? a.time : b.time;
            long penalty = lastT == Long.MIN_VALUE ? INITIAL_PENALTY_MILLIS : 2 * (t - lastT);
            penaltyA = useA ? 0 : penalty;
            penaltyB = useA ? penalty : 0;
            lastT = t;
            time = t;
            return true;
        }

        @Override
        boolean seek(long t) {
            // Sample by sample, so that the choice of replica is the same as when reading on.
            while (time < t) {
                if (!next()) {
                    return false;
                }
            }
            return time != END;
        }

        @Override
        boolean isFloat() {
            return useA ? aLeft && a.isFloat() : bLeft && b.isFloat();
        }

        @Override
        double value() {
            return useA ? a.value() : b.value();
        }

        @Override
        void lift(double said) {
            if (aLeft && a.isFloat()) {
                a.lift(said);
            }
            if (bLeft && b.isFloat()) {
                b.lift(said);
            }
        }

        @Override
        void emit(SampleBuffer out) {
            (useA ? a : b).emit(out);
        }
    }
}
