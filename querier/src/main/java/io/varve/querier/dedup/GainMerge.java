package io.varve.querier.dedup;

import io.varve.model.SampleBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Merges replicas of a counter whose resets were taken out, as downsampled data has it: running totals, each from its replica's own start and
 * short of what its replica missed. Which replica speaks when is {@link ReplicaMerge}'s decision; what it says is how much it gained since the
 * sample before. So a change of replica is neither a jump nor a reset, however far apart their totals are.
 *
 * <p>
 * At a change the gain in between is taken from whichever of the two replicas has samples nearer around it, on the line between them.
 * Where neither saw it the gain is what the totals differ by, or nothing.
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
        int before = -1;
        int beforeAt = 0;
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
                total += gain(totals.get(before), beforeAt, now, at);
            }
            out.add(now.timestamps[at], total);
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

    private static double gain(SampleBuffer old, int oldAt, SampleBuffer now, int nowAt) {
        long from = old.timestamps[oldAt];
        long to = now.timestamps[nowAt];
        // The new one's samples around the old one's last word, and the old one's around the new one's first.
        int b = Samples.lowerBound(now, 0, from);
        int a = b < now.size && now.timestamps[b] == from ? b : b - 1;
        int d = Samples.lowerBound(old, 0, to);
        int c = d < old.size && old.timestamps[d] == to ? d : d - 1;
        long newSees = a >= 0 && b < now.size ? now.timestamps[b] - now.timestamps[a] : Long.MAX_VALUE;
        long oldSees = c >= 0 && d < old.size ? old.timestamps[d] - old.timestamps[c] : Long.MAX_VALUE;
        if (newSees == Long.MAX_VALUE && oldSees == Long.MAX_VALUE) {
            return Math.max(0, now.values[nowAt] - old.values[oldAt]);
        }
        return newSees <= oldSees
                ? now.values[nowAt] - on(now, a, b, from)
                : on(old, c, d, to) - old.values[oldAt];
    }

    /** The total at {@code t} on the line between two samples. */
    private static double on(SampleBuffer b, int from, int to, long t) {
        if (from == to) {
            return b.values[from];
        }
        double part = (double) (t - b.timestamps[from]) / (b.timestamps[to] - b.timestamps[from]);
        return b.values[from] + (b.values[to] - b.values[from]) * part;
    }
}
