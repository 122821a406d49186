package io.varve.querier.dedup;

import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Varve's merge of replicas. The replicas are ordered; the first leads, and each further one fills the gaps that are still there.
 *
 * <p>
 * A gap is a distance of more than one and a half scrape intervals between two neighbours. Into a gap go those of the other replica's
 * samples that keep half an interval from both ends; where that leaves a gap although the other has samples, an eighth of an interval is
 * enough, at most a second. So no instant is without a value while any replica has a fresh one, and two scrapes of one moment never stand side by side.
 * The scrape interval is measured from the samples around the gap. Whether a sample is taken thus depends on samples nearby and on the
 * order of replicas alone, never on where a query begins, and one replica, or many equal ones, come out as they went in.
 *
 * <p>
 * A change of replica can step back on a counter when one process was read later than its timestamp says. A reset is believed only
 * where the replica that speaks fell against its own sample before; otherwise the value stands still until it is caught up with. This
 * is done for counter functions only: other readers get the values as they were scraped.
 *
 * <p>
 * A marker of staleness says that one replica lost sight of the target. It is kept only while no other replica still sees it.
 */
public final class ReplicaMerge {
    /** How many distances on each side of a gap are looked at to measure the interval. */
    private static final int NEIGHBOURS = 8;
    private static final int BLOCK = 64;
    /** How many intervals of another replica are held at a time, a longer gap excepted. */
    private static final int HELD = 4096;
    private static final long FAR = 1L << 60;
    /** Nearer than this two scrapes say nothing of a rate: values are up to half a second older or younger than their timestamps say. */
    private static final long NEAREST_MILLIS = 1000;

    private final List<? extends Replica> replicas;
    private final boolean counter;
    private final @Nullable Trace trace;
    private final long min;
    private final long max;
    /** What is later than this need not be right. */
    private final long wanted;
    private SampleBuffer merged;
    private SampleBuffer next;
    private final SampleBuffer other;
    private final SampleBuffer again;
    /**
     * Whose histograms {@link #merged} holds in part, as {@link SampleBuffer#windowEnds} has it; null where it holds them all. Where other
     * samples come between them, neighbours are looked at too: those are read {@link #again}.
     */
    private @Nullable Replica partly;
    /** Up to which index that was done. */
    private int complete;
    /** Whether samples of several replicas are merged already while histograms are missing, so that nobody can give them any longer. */
    private boolean mixed;
    /** Whether they turned out to be needed. */
    private boolean tooLittle;
    /** Gaps as pairs of indexes into {@link #merged}: the real sample before (−1 none) and after (size none). */
    private int[] gaps;
    private int gapCount;
    /** Of the last {@link #measure}. */
    private long longest;
    /** Whether the samples before and after the gap that is being filled make place for one of the other's. */
    private boolean insteadOfBefore;
    private boolean insteadOfAfter;
    private final long[] distances;
    private final Workspace workspace;

    /** What merges are made in, one after another: buffers that need not be made for each series. One thread at a time. */
    public static final class Workspace {
        /** With room for more samples it is not worth keeping. Two weeks at an interval of ten seconds are fewer: such series come by the hundred. */
        private static final int LARGE = 1 << 17;
        private final SampleBuffer merged = new SampleBuffer(0);
        private final SampleBuffer next = new SampleBuffer(0);
        private final SampleBuffer other = new SampleBuffer(0);
        private final SampleBuffer again = new SampleBuffer(0);
        private final long[] distances = new long[4 * NEIGHBOURS];
        private int[] gaps = new int[16];

        /** Whether a long series made it so large that it should not be kept for others. */
        public boolean isLarge() {
            return Math.max(merged.timestamps.length, next.timestamps.length) > LARGE || other.timestamps.length > LARGE;
        }

        /** Lets go of what a series left. */
        private void forget() {
            merged.endPart();
            next.endPart();
            other.endPart();
            again.endPart();
        }
    }

    private ReplicaMerge(List<? extends Replica> replicas, boolean counter, long min, long max, long wanted, SampleBuffer out,
            boolean allHistograms, @Nullable Trace trace, Workspace workspace) {
        merged = workspace.merged;
        merged.beginPartOf(out);
        other = workspace.other;
        other.beginPartOf(out);
        other.windowEnds = null;
        again = workspace.again;
        again.beginPartOf(other);
        next = workspace.next;
        gaps = workspace.gaps;
        distances = workspace.distances;
        this.workspace = workspace;
        if (allHistograms) {
            merged.windowEnds = null;
        }
        this.replicas = replicas;
        this.counter = counter;
        this.min = min;
        this.max = max;
        this.wanted = wanted;
        this.trace = trace;
    }

    /**
     * Appends the merged samples of {@code min} to {@code max}, both included, to {@code out}.
     *
     * @param replicas at least one, the leader first; the order decides and must be the same for every query
     * @param counter whether values may be held so that a change of replica is no reset
     * @param trace where to write which replica gave what, or null
     */
    public static void merge(List<? extends Replica> replicas, boolean counter, long min, long max, SampleBuffer out,
            @Nullable Trace trace) {
        merge(replicas, counter, min, max, max, out, trace, new Workspace());
    }

    /**
     * The same for who reads beyond what is wanted, so that samples near the end have neighbours: those later than {@code wanted} may come out
     * otherwise. Where the leader reaches beyond it, and its data ends before {@code max} as that of any query for the present does, the last
     * replica is not read for what follows.
     *
     * @param workspace what it is done in, free again afterwards
     */
    public static void merge(List<? extends Replica> replicas, boolean counter, long min, long max, long wanted, SampleBuffer out,
            @Nullable Trace trace, Workspace workspace) {
        if (replicas.size() == 1) {
            int from = out.size;
            replicas.get(0).read(min, max, out);
            if (trace != null && out.size > from) {
                trace.add(out.timestamps[from], out.timestamps[out.size - 1], out.size - from, replicas.get(0).name(), "only replica");
            }
            return;
        }
        // Far from overflow, so that distances can be taken.
        long from = Math.max(min, -FAR);
        long to = Math.min(max, FAR);
        try {
            ReplicaMerge m = new ReplicaMerge(replicas, counter, from, to, wanted, out, trace != null, trace, workspace);
            m.run();
            if (m.tooLittle) {
                m = new ReplicaMerge(replicas, counter, from, to, wanted, out, true, null, workspace);
                m.run();
            }
            Samples.move(m.merged, out);
        } finally {
            workspace.forget();
        }
    }

    private void run() {
        read(replicas.get(0));
        if (trace != null && merged.size > 0) {
            trace.add(merged.timestamps[0], merged.timestamps[merged.size - 1], merged.size, replicas.get(0).name(), "leads");
        }
        for (int i = 1; i < replicas.size() && !tooLittle; i++) {
            fill(replicas.get(i), i == replicas.size() - 1);
        }
    }

    // --- gaps ---------------------------------------------------------------------------------------------------------------

    private void fill(Replica r, boolean noneFollows) {
        if (merged.size == 0) {
            read(r);
            if (trace != null && merged.size > 0) {
                trace.add(merged.timestamps[0], merged.timestamps[merged.size - 1], merged.size, r.name(), "earlier replicas have nothing");
            }
            return;
        }
        findGaps(r.roughIntervalMillis());
        // What a gap takes is later than the sample before it. Replicas that come after would see what earlier ones put there.
        while (noneFollows && gapCount > 0 && gaps[2 * gapCount - 2] >= 0 && merged.timestamps[gaps[2 * gapCount - 2]] > wanted) {
            gapCount--;
        }
        if (gapCount == 0) {
            return;
        }
        next.clear();
        next.ensure(merged.size + 64);
        int copied = 0;
        boolean changed = false;
        int g = 0;
        while (g < gapCount && !tooLittle) {
            // Gaps that lie close together are read in one go.
            int last = g;
            long most = HELD * distanceAround(g);
            while (last + 1 < gapCount && startOf(last + 1) - endOf(last) < 40 * distanceAround(last)
                    && endOf(last + 1) - startOf(g) < most) {
                last++;
            }
            long margin = 4 * NEIGHBOURS * Math.max(distanceAround(g), Math.max(distanceAround(last), r.roughIntervalMillis()));
            other.clear();
            r.read(Math.max(min, saturated(startOf(g), -margin)), Math.min(max, saturated(endOf(last), margin)), other);
            for (; g <= last; g++) {
                int before = gaps[2 * g];
                int after = gaps[2 * g + 1];
                if (fillGap(before, after, copied, r)) {
                    changed = true;
                    copied = insteadOfAfter ? after + 1 : after;
                }
            }
        }
        if (changed) {
            Samples.append(merged, copied, merged.size, next);
            SampleBuffer swap = merged;
            merged = next;
            next = swap;
            mixed = partly != null;
            partly = null;
        }
    }

    private void read(Replica r) {
        r.read(min, max, merged);
        partly = merged.windowEnds != null && merged.histograms != null ? r : null;
    }

    /** Sees to it that merged samples {@code from} to {@code to} (excluded) are all there. */
    private void complete(int from, int to) {
        Replica r = partly;
        int lo = Math.max(from, complete);
        int hi = Math.min(to, merged.size);
        if (r == null || lo >= hi) {
            return;
        }
        again.clear();
        r.read(merged.timestamps[lo], merged.timestamps[hi - 1], again);
        int j = 0;
        for (int i = lo; i < hi; i++) {
            while (j < again.size && again.timestamps[j] < merged.timestamps[i]) {
                j++;
            }
            FloatHistogram h = j < again.size && again.timestamps[j] == merged.timestamps[i] ? again.histogram(j) : null;
            if (h != null) {
                merged.histogramArray()[i] = h;
            }
        }
        complete = hi;
    }

    private static long saturated(long a, long b) {
        long s = a + b;
        return ((a ^ s) & (b ^ s)) < 0 ? (b < 0 ? Long.MIN_VALUE : Long.MAX_VALUE) : s;
    }

    private long startOf(int gap) {
        int i = gaps[2 * gap];
        return i < 0 ? min : merged.timestamps[i];
    }

    private long endOf(int gap) {
        int i = gaps[2 * gap + 1];
        return i >= merged.size ? max : merged.timestamps[i];
    }

    /** A first idea of the interval near a gap. */
    private long distanceAround(int gap) {
        int at = Math.max(0, Math.min(merged.size - 1, Math.max(gaps[2 * gap], 0)));
        long d = median(merged, at, at);
        return d == 0 ? 60_000 : d;
    }

    /** Finds every place where the exact look in {@link #fillGap} could find a gap; may find more, never fewer. */
    private void findGaps(long otherInterval) {
        gapCount = 0;
        int n = merged.size;
        int blocks = (n + BLOCK - 1) / BLOCK;
        long rough = otherInterval > 0 ? otherInterval : Long.MAX_VALUE;
        long before = Long.MAX_VALUE;
        long here = measure(0, rough);
        long atEnd = Long.MAX_VALUE;
        int real = -1;
        for (int b = 0; b < blocks; b++) {
            long longestHere = longest;
            long after = b + 1 < blocks ? measure(b + 1, rough) : Long.MAX_VALUE;
            long limit = tolerated(Math.min(before, Math.min(here, after)));
            int from = b * BLOCK;
            int end = Math.min(n, from + BLOCK);
            // Only the first one's distance to the sample before it is left to look at.
            boolean even = longestHere <= limit && noneIsStale(from, end);
            real = look(real, from, even ? from + 1 : end, limit);
            if (even) {
                real = end - 1;
            }
            atEnd = Math.min(before, here);
            before = here;
            here = after;
        }
        if (real < 0 || real < n - 1 || max - merged.timestamps[real] > tolerated(atEnd)) {
            addGap(real, n);
        }
    }

    private static long tolerated(long distance) {
        return distance == Long.MAX_VALUE ? 0 : distance + distance / 4;
    }

    /**
     * Looks for gaps before samples {@code from} to {@code end} (excluded).
     *
     * @param before the last one before them that is no marker of staleness, −1 where there is none
     * @return the last one
     */
    private int look(int before, int from, int end, long limit) {
        long[] t = merged.timestamps;
        int real = before;
        for (int i = from; i < end; i++) {
            if (Samples.isStale(merged, i)) {
                continue;
            }
            if (real < 0 ? t[i] - min > limit || i > 0 : t[i] - t[real] > limit || i - real > 1) {
                addGap(real, i);
            }
            real = i;
        }
        return real;
    }

    /** Between samples of a block, and to the one behind it: the shortest distance, {@code most} at most; {@link #longest} is the longest. */
    private long measure(int block, long most) {
        long[] t = merged.timestamps;
        int end = Math.min(merged.size, (block + 1) * BLOCK + 1);
        long least = most;
        long greatest = 0;
        for (int i = block * BLOCK + 1; i < end; i++) {
            long d = t[i] - t[i - 1];
            least = Math.min(least, d);
            greatest = Math.max(greatest, d);
        }
        longest = greatest;
        return least;
    }

    private boolean noneIsStale(int from, int end) {
        if (merged.histograms != null) {
            return false;
        }
        double[] v = merged.values;
        for (int i = from; i < end; i++) {
            // Nearly all are numbers.
            if (Double.isNaN(v[i]) && SampleBuffer.isStale(v[i])) {
                return false;
            }
        }
        return true;
    }

    private void addGap(int before, int after) {
        if (gapCount * 2 == gaps.length) {
            gaps = Arrays.copyOf(gaps, gaps.length * 2);
            workspace.gaps = gaps;
        }
        gaps[2 * gapCount] = before;
        gaps[2 * gapCount + 1] = after;
        gapCount++;
    }

    /** The interval of a stream around the samples {@code before} and {@code after}, their own distance left out; 0 where unknown. */
    private long median(SampleBuffer b, int before, int after) {
        int n = distances(b, before, after);
        if (n == 0) {
            return 0;
        }
        return rounded(distances[(n - 1) / 2]);
    }

    /**
     * The interval of the other stream around both ends of a gap in which its samples {@code first} to {@code last} lie, inside as well as outside:
     * near the ends of what was read there is nothing outside. Missed scrapes make distances longer, never shorter: the lower quartile is
     * the interval even where many were missed. 0 where unknown.
     */
    private long quartile(SampleBuffer b, int first, int last) {
        int n = 0;
        int i = Math.max(1, first - NEIGHBOURS + 1);
        for (int end : new int[]{first, last}) {
            i = Math.max(i, end - NEIGHBOURS + 1);
            for (; i < b.size && i <= end + NEIGHBOURS; i++) {
                distances[n++] = b.timestamps[i] - b.timestamps[i - 1];
            }
        }
        Arrays.sort(distances, 0, n);
        return n < 2 ? 0 : rounded(distances[(n - 1) / 4]);
    }

    private int distances(SampleBuffer b, int before, int after) {
        int n = 0;
        for (int i = Math.min(before, b.size - 1); i > 0 && i > before - NEIGHBOURS; i--) {
            distances[n++] = b.timestamps[i] - b.timestamps[i - 1];
        }
        for (int i = Math.max(after, 0) + 1; i < b.size && i <= after + NEIGHBOURS; i++) {
            distances[n++] = b.timestamps[i] - b.timestamps[i - 1];
        }
        Arrays.sort(distances, 0, n);
        return n;
    }

    /** Whole seconds from two on: jitter must not move a decision. */
    private static long rounded(long millis) {
        return millis < 2000 ? millis : (millis + 500) / 1000 * 1000;
    }

    // --- one gap ------------------------------------------------------------------------------------------------------------

    /**
     * Writes merged samples from {@code copied} up to {@code after} with the gap filled to {@link #next}; writes nothing and answers
     * false where the gap stays as it is.
     */
    private boolean fillGap(int before, int after, int copied, Replica r) {
        SampleBuffer m = merged;
        boolean hasBefore = before >= 0;
        boolean hasAfter = after < m.size;
        long t0 = hasBefore ? m.timestamps[before] : min;
        long t1 = hasAfter ? m.timestamps[after] : max;
        // Where the neighbour lies outside of what was read, the end of what was read stands for it.
        int from = Samples.lowerBound(other, 0, hasBefore ? t0 + 1 : t0);
        int to = Samples.lowerBound(other, from, hasAfter ? t1 : t1 == Long.MAX_VALUE ? t1 : t1 + 1);
        boolean markers = after - before > 1;
        if (from == to && !(markers && from < other.size)) {
            return false;
        }
        long theirs = quartile(other, from, to - 1);
        long ours = median(m, before, after);
        long interval = ours == 0 ? theirs : theirs == 0 ? ours : Math.min(ours, theirs);
        if (interval == 0) {
            interval = 60_000;
        }
        long gap = interval + interval / 2;
        boolean wide = t1 - t0 > gap;
        if (!wide && !markers) {
            return false;
        }
        int taken = 0;
        int[] take = new int[to - from];
        insteadOfBefore = false;
        insteadOfAfter = false;
        if (wide) {
            long edge = interval / 2;
            long last = hasBefore ? t0 : Long.MIN_VALUE;
            for (int i = from; i < to; i++) {
                long t = other.timestamps[i];
                if (Samples.isStale(other, i)) {
                    continue;
                }
                if ((last == Long.MIN_VALUE || t - last >= edge) && (!hasAfter || t1 - t >= edge)) {
                    take[taken++] = i;
                    last = t;
                }
            }
            taken = relax(take, taken, from, to, before, after, before > copied, gap, Math.min(interval / 8, NEAREST_MILLIS));
        }
        if (taken == 0 && !markers) {
            return false;
        }
        if (mixed) {
            tooLittle = true;
            return false;
        }
        complete(before - 2, after + NEIGHBOURS);
        return write(before, after, copied, take, taken, from, to, gap, r);
    }

    /**
     * Takes also nearer samples where there would still be a gap although the other replica has some. One that is near an end of the gap stands in
     * for the sample there, so that two scrapes of one moment do not stand side by side; where that would tear another gap both stay.
     *
     * @param mayDrop whether the sample before the gap has a neighbour that will be there
     */
    private int relax(int[] take, int taken, int from, int to, int before, int after, boolean mayDrop, long gap, long nearest) {
        SampleBuffer m = merged;
        long edge = gap / 3;
        long t0 = before >= 0 ? m.timestamps[before] : Long.MIN_VALUE;
        long t1 = after < m.size ? m.timestamps[after] : Long.MAX_VALUE;
        long earlier = mayDrop && !Samples.isStale(m, before - 1) ? m.timestamps[before - 1] : -FAR;
        long later = after + 1 < m.size && !Samples.isStale(m, after + 1) ? m.timestamps[after + 1] : FAR;
        int n = taken;
        int k = 0;
        long last = t0;
        for (int i = from; i < to; i++) {
            if (k < n && take[k] == i) {
                last = other.timestamps[i];
                k++;
                continue;
            }
            long t = other.timestamps[i];
            long following = k < n ? other.timestamps[take[k]] : t1;
            boolean far = last == Long.MIN_VALUE || following == Long.MAX_VALUE || following - last > gap;
            if (Samples.isStale(other, i) || !far) {
                continue;
            }
            boolean replaces;
            if (k == 0 && before >= 0 && t - t0 < edge && t - earlier <= gap) {
                insteadOfBefore = true;
                replaces = true;
            } else {
                replaces = k == n && after < m.size && t1 - t < edge && (later - t <= gap || bridges(to, t, t1, later, gap))
                        && (last == Long.MIN_VALUE || t - last >= nearest);
                if (replaces) {
                    insteadOfAfter = true;
                    t1 = later;
                }
            }
            if (replaces || (last == Long.MIN_VALUE || t - last >= nearest) && (following == Long.MAX_VALUE || following - t >= nearest)) {
                System.arraycopy(take, k, take, k + 1, n - k);
                take[k++] = i;
                n++;
                last = t;
            }
        }
        return n;
    }

    /** Whether the other replica has a sample that will be taken into the next gap, near enough to the one at {@code t}. */
    private boolean bridges(int next, long t, long t1, long later, long gap) {
        int i = next;
        while (i < other.size && (Samples.isStale(other, i) || other.timestamps[i] - t1 < gap / 3)) {
            i++;
        }
        return i < other.size && other.timestamps[i] - t <= gap && later - other.timestamps[i] >= gap / 3;
    }

    private boolean write(int before, int after, int copied, int[] take, int taken, int from, int to, long gap, Replica r) {
        SampleBuffer m = merged;
        SampleBuffer out = next;
        boolean hasAfter = after < m.size;
        long t1 = hasAfter ? m.timestamps[after] : Long.MAX_VALUE;
        Samples.append(m, copied, insteadOfBefore ? before : before + 1, out);
        int k = 0;
        int mark = before + 1; // markers of the streams merged so far
        int theirs = from; // all of the other's samples, for its markers
        boolean lastIsTheirs = false;
        int first = out.size;
        while (true) {
            long tTake = k < taken ? other.timestamps[take[k]] : Long.MAX_VALUE;
            long tMark = mark < after ? m.timestamps[mark] : Long.MAX_VALUE;
            while (theirs < to && !Samples.isStale(other, theirs)) {
                theirs++;
            }
            long tTheirs = theirs < to ? other.timestamps[theirs] : Long.MAX_VALUE;
            long t = Math.min(tTake, Math.min(tMark, tTheirs));
            if (t == Long.MAX_VALUE) {
                break;
            }
            if (t == tTake) {
                Samples.append(other, take[k], take[k] + 1, out);
                boolean follows = lastIsTheirs && take[k] > 0 && k > 0 && take[k - 1] == take[k] - 1;
                if (!follows) {
                    Samples.forgetHint(out, out.size - 1);
                    if (counter) {
                        holdEntering(take[k], out, gap);
                    }
                } else if (counter) {
                    holdFollowing(take[k], out);
                }
                lastIsTheirs = true;
                k++;
                if (t == tMark) {
                    mark++;
                }
            } else if (t == tMark) {
                // The others' word that the target is alive counts more than one's that it is gone.
                int alive = Samples.lowerBound(other, 0, t + 1);
                while (alive < other.size && Samples.isStale(other, alive)) {
                    alive++;
                }
                boolean agrees = alive > 0 && Samples.isStale(other, alive - 1) && t - other.timestamps[alive - 1] < gap;
                if (agrees || alive >= other.size || other.timestamps[alive] - t > gap) {
                    Samples.append(m, mark, mark + 1, out);
                    lastIsTheirs = false;
                }
                mark++;
            } else {
                boolean goesOn = tTake - t <= gap || t1 != Long.MAX_VALUE && t1 - t <= gap;
                if (lastIsTheirs && !goesOn) {
                    Samples.append(other, theirs, theirs + 1, out);
                }
                theirs++;
            }
        }
        if (trace != null && taken > 0) {
            trace.add(other.timestamps[take[0]], other.timestamps[take[taken - 1]], taken, r.name(),
                    "fills a gap of " + ((hasAfter ? m.timestamps[after] : max) - (before >= 0 ? m.timestamps[before] : min)) + " ms"
                            + (insteadOfBefore ? ", in place of the sample before" : "")
                            + (insteadOfAfter ? ", in place of the sample after" : ""));
        }
        int back = insteadOfAfter ? after + 1 : after;
        if (back < m.size && taken > 0) {
            Samples.forgetHint(m, back);
            if (counter && lastIsTheirs && out.size > first) {
                holdReturning(back, take[taken - 1], out, gap);
            }
        }
        return true;
    }

    // --- counters -----------------------------------------------------------------------------------------------------------

    /** The size of a counter: the float, or a histogram's number of observations. */
    private static double level(SampleBuffer b, int i) {
        FloatHistogram h = b.histogram(i);
        return h == null ? b.values[i] : h.count();
    }

    private static boolean sameKind(SampleBuffer a, int i, SampleBuffer b, int j) {
        return a.histogram(i) == null == (b.histogram(j) == null);
    }

    private static void hold(SampleBuffer from, int i, SampleBuffer out, int j) {
        FloatHistogram h = from.histogram(i);
        if (h == null) {
            out.values[j] = from.values[i];
        } else {
            out.histogramArray()[j] = h;
            Samples.forgetHint(out, j);
        }
    }

    /** The last written sample comes from the other replica, the one before it does not. */
    private void holdEntering(int i, SampleBuffer out, long gap) {
        int now = out.size - 1;
        int prev = now - 1;
        if (prev < 0 || Samples.isStale(out, prev) || !sameKind(out, prev, out, now) || !(level(out, now) < level(out, prev))) {
            return;
        }
        if (!fellSince(i, out.timestamps[prev], out, prev, gap)) {
            hold(out, prev, out, now);
        }
    }

    /** The last two written samples are neighbours in the other replica; the earlier may be held. */
    private void holdFollowing(int i, SampleBuffer out) {
        int now = out.size - 1;
        int prev = now - 1;
        if (sameKind(out, prev, out, now) && level(out, now) < level(out, prev) && sameKind(other, i - 1, other, i)
                && level(other, i - 1) <= level(other, i)) {
            hold(out, prev, out, now);
        }
    }

    /** Whether the other replica itself fell on the way to its sample {@code i} since {@code t}. What it did not see does not speak against it. */
    private boolean fellSince(int i, long t, SampleBuffer out, int prev, long gap) {
        for (int j = i; j > 0 && neighbours(j - 1, j, gap); j--) {
            if (level(other, j) < level(other, j - 1)) {
                return true;
            }
            if (other.timestamps[j - 1] <= t) {
                return false;
            }
        }
        return !withinGain(out, prev, level(out, prev) - level(other, i));
    }

    /** Whether the other replica saw all of the time between two of its samples: what rose there did not fall meanwhile. */
    private boolean neighbours(int i, int j, long gap) {
        return !Samples.isStale(other, i) && !Samples.isStale(other, j) && sameKind(other, i, other, j)
                && other.timestamps[j] - other.timestamps[i] <= gap;
    }

    /** Back from the other replica's sample {@code f} to the merged stream's {@code after}. */
    private void holdReturning(int after, int f, SampleBuffer out, long gap) {
        int said = out.size - 1;
        if (!sameKind(out, said, merged, after) || !(level(merged, after) < level(out, said))) {
            return;
        }
        int g = f;
        while (other.timestamps[g] < merged.timestamps[after] && g + 1 < other.size && neighbours(g, g + 1, gap)
                && level(other, g + 1) >= level(other, g)) {
            g++;
        }
        // What the other saw rise all the time did not fall; where it did not see it, a step back of a moment is none either.
        if (other.timestamps[g] < merged.timestamps[after] && !withinGain(out, said, level(out, said) - level(merged, after))) {
            return;
        }
        double held = level(out, said);
        double lastOwn = level(merged, after);
        for (int i = after; i < merged.size; i++) {
            if (i >= complete) {
                complete(i, i + BLOCK);
            }
            if (!(level(merged, i) < held) || !sameKind(merged, i, out, said) || Samples.isStale(merged, i)
                    || level(merged, i) < lastOwn) {
                break; // a reset of its own
            }
            lastOwn = level(merged, i);
            hold(out, said, merged, i);
        }
    }

    /** Whether a step back is no larger than what the counter gained in a second before. */
    private static boolean withinGain(SampleBuffer b, int i, double step) {
        for (int j = i - 1; j >= 0 && i - j <= NEIGHBOURS && !Samples.isStale(b, j) && sameKind(b, j, b, i); j--) {
            double gain = level(b, i) - level(b, j);
            if (gain != 0) { // held values have none
                return step <= gain * 1000 / (b.timestamps[i] - b.timestamps[j]);
            }
        }
        return false;
    }
}
