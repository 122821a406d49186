package io.varve.querier.dedup;

import io.varve.model.SampleBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Merges replicas of a counter whose resets were taken out, as downsampled data has it: running totals, each from its replica's own start and
 * short of what its replica missed. Which replica speaks when is {@link ReplicaMerge}'s decision; what it says is how much it gained since the
 * sample before. So a change of replica is neither a jump nor a reset, however far apart their totals are.
 *
 * <p>
 * At a change the two replicas' totals are laid on each other: by the median of what they differ by at a few samples before the change, or
 * after it where that is seen from nearer. A window in which a replica saw the target only for a while lags behind and catches up in the
 * next one; laid on each other at that window alone, what is caught up would count twice, or be lost. Where neither saw the other's time the
 * gain is what the totals differ by, or nothing.
 */
public final class GainMerge {
    private static final int INDEX_BITS = 32;

    private GainMerge() {
    }

    /**
     * Appends the merged totals of {@code min} to {@code max}, both included.
     *
     * @param names of the replicas, the leader first
     * @param totals of each replica: rising times, floats that never fall
     */
    public static void merge(List<String> names, List<SampleBuffer> totals, long min, long max, SampleBuffer out) {
        List<Replica> where = new ArrayList<>(totals.size());
        for (int r = 0; r < totals.size(); r++) {
            where.add(places(names.get(r), totals.get(r), r));
        }
        SampleBuffer chosen = new SampleBuffer(totals.getFirst().size);
        ReplicaMerge.merge(where, false, min, max, chosen, null);
        double total = 0;
        // What was said does not fall: a change of replica may find that too much was said, which is made good before more is.
        double said = Double.NEGATIVE_INFINITY;
        int before = -1;
        int beforeAt = 0;
        Overlay overlay = new Overlay();
        for (int i = 0; i < chosen.size; i++) {
            long place = (long) chosen.values[i];
            int r = (int) (place >>> INDEX_BITS);
            int at = (int) place;
            SampleBuffer now = totals.get(r);
            if (before < 0) {
                total = now.values[at];
            } else if (r == before) {
                total += now.values[at] - now.values[beforeAt];
            } else {
                total += overlay.gain(totals.get(before), beforeAt, now, at);
            }
            said = Math.max(said, total);
            out.add(now.timestamps[at], said);
            before = r;
            beforeAt = at;
        }
    }

    /** The replica's samples with their own place as value, which a double holds exactly. */
    private static Replica places(String name, SampleBuffer totals, int replica) {
        return new Replica() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public void read(long min, long max, SampleBuffer into) {
                for (int i = Samples.lowerBound(totals, 0, min); i < totals.size && totals.timestamps[i] <= max; i++) {
                    into.add(totals.timestamps[i], (double) ((long) replica << INDEX_BITS | i));
                }
            }

            @Override
            public long roughIntervalMillis() {
                return totals.size < 2 ? 0 : (totals.timestamps[totals.size - 1] - totals.timestamps[0]) / (totals.size - 1);
            }
        };
    }

    /** How two replicas' totals lie on each other around a change from one to the other. */
    private static final class Overlay {
        private static final int LOOKS = 5;
        /** So many are enough not to look at the other side of the change. */
        private static final int ENOUGH = 3;
        private final double[] differences = new double[LOOKS];
        private int n;
        /** Distance of the other's samples around the first look, {@link Long#MAX_VALUE} where it has none on one side. */
        private long width;

        double gain(SampleBuffer old, int oldAt, SampleBuffer now, int nowAt) {
            look(old, oldAt, -1, now);
            int before = n;
            long beforeWidth = width;
            double above = median();
            if (before < ENOUGH) {
                look(now, nowAt, 1, old);
                boolean after = before > 0 || n > 0 ? n > before : width < beforeWidth;
                if (beforeWidth == Long.MAX_VALUE && width == Long.MAX_VALUE) {
                    return Math.max(0, now.values[nowAt] - old.values[oldAt]);
                }
                above = after ? -median() : above;
            }
            return now.values[nowAt] + above - old.values[oldAt];
        }

        /**
         * By how much {@code one} is above the other at its samples from {@code at} on, as far as there is no outage of either: what was
         * missed with a restart makes another difference of it. Where the first look falls into one it stands alone, and {@link #n} is 0.
         */
        private void look(SampleBuffer one, int at, int direction, SampleBuffer other) {
            n = 0;
            width = Long.MAX_VALUE;
            long usual = 0;
            for (int i = at; n < LOOKS && i >= 0 && i < one.size; i += direction) {
                long t = one.timestamps[i];
                int b = Samples.lowerBound(other, 0, t);
                int a = b < other.size && other.timestamps[b] == t ? b : b - 1;
                if (a < 0 || b >= other.size) {
                    return;
                }
                long w = other.timestamps[b] - other.timestamps[a];
                if (i == at) {
                    width = w;
                    usual = Math.max(nearest(one, at, direction), nearest(other, direction < 0 ? a : b, direction));
                    differences[0] = one.values[i] - Samples.onLine(other, a, b, t);
                }
                if (w > usual + usual / 2 || i != at && Math.abs(t - one.timestamps[i - direction]) > usual + usual / 2) {
                    return;
                }
                differences[n++] = one.values[i] - Samples.onLine(other, a, b, t);
            }
        }

        /** The least distance of samples from {@code i} on. */
        private static long nearest(SampleBuffer b, int i, int direction) {
            long least = Long.MAX_VALUE;
            for (int j = i; j + direction >= 0 && j + direction < b.size && Math.abs(j - i) < LOOKS; j += direction) {
                least = Math.min(least, Math.abs(b.timestamps[j + direction] - b.timestamps[j]));
            }
            return least == Long.MAX_VALUE ? 0 : least;
        }

        private double median() {
            if (n == 0) {
                return width == Long.MAX_VALUE ? 0 : differences[0];
            }
            Arrays.sort(differences, 0, n);
            return (differences[(n - 1) / 2] + differences[n / 2]) / 2;
        }
    }
}
