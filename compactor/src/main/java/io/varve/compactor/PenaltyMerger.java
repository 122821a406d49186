package io.varve.compactor;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.Encoding;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.model.SampleCursor;
import io.varve.tsdb.OverlapMerger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Merges overlapping chunks of HA replicas as the querier's penalty algorithm chooses samples: it stays with one replica and changes over only
 * when that one has missed samples for longer than twice the last step. {@code --deduplication.func=penalty} of the compactor. Thanos merges only
 * chunks of one kind and loses the others; here floats and histograms are merged in one row.
 *
 * <p>
 * The first chunk is merged with the second, the result with the third and so on. Only times decide, so what is merged is times with the places of
 * their samples; and since chunks come in the order of their beginnings, each merge begins near the end of what is merged already. One thread.
 */
final class PenaltyMerger implements OverlapMerger {
    private static final long INITIAL_PENALTY_MILLIS = 5000;
    /** Beyond this (9 million years) sums may overflow: no short cuts then. */
    private static final long PLAUSIBLE = 1L << 58;

    private final SampleBuffer samples = new SampleBuffer(512);
    /** How two chunks begin. */
    private final SampleBuffer headOfA = new SampleBuffer(16);
    private final SampleBuffer headOfB = new SampleBuffer(16);
    /** {@link Histogram} or {@link FloatHistogram} of each sample, null where all are floats. */
    private @Nullable Object @Nullable [] histograms;
    /** Where the samples of each chunk begin, and behind the last where they end. */
    private int[] chunkPlaces = new int[16];
    /** What the chunks so far come to. */
    private long[] times = new long[512];
    private int[] places = new int[512];
    private int size;
    /** By index, how far the search in a further replica has come at most once the sample there is chosen; known up to {@link #reachSize}. */
    private long[] reach = new long[512];
    private int reachSize;
    /** The part of what is merged that is merged again. */
    private long[] tailTimes = new long[512];
    private int[] tailPlaces = new int[512];
    private final long[] outTimes = new long[ChunkAppender.USUAL_SAMPLES];
    private final double[] outValues = new double[ChunkAppender.USUAL_SAMPLES];
    private final List<Chunk> out = new ArrayList<>();
    private final ChunkAppender plain = ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, out::add);
    private final ChunkAppender withStarts = ChunkAppender.withStartTimestamps(ChunkAppender.USUAL_SAMPLES, out::add);

    @Override
    public List<Chunk> merge(Labels labels, List<Chunk> overlapping) {
        boolean startTimestamps = false;
        for (Chunk chunk : overlapping) {
            startTimestamps |= switch (chunk.encoding()) {
                case XOR2, HISTOGRAM_ST, FLOAT_HISTOGRAM_ST -> true;
                case XOR, HISTOGRAM, FLOAT_HISTOGRAM -> false;
                case AGGREGATE -> throw new InvalidRequestException(
                        "downsampled chunks of " + labels + " overlap at " + chunk.minTime() + ": they cannot be merged");
            };
        }
        if (chunkPlaces.length <= overlapping.size()) {
            chunkPlaces = new int[2 * overlapping.size()];
        }
        histograms = null;
        if (overlapping.size() != 2 || !mergePair(overlapping.getFirst(), overlapping.getLast())) {
            samples.clear();
            size = 0;
            reachSize = 0;
            for (int c = 0; c < overlapping.size(); c++) {
                int from = samples.size;
                chunkPlaces[c] = from;
                decode(overlapping.get(c));
                chunkPlaces[c + 1] = samples.size;
                add(from, samples.size);
            }
        }
        out.clear();
        encode(startTimestamps ? withStarts : plain, overlapping);
        return List.copyOf(out);
    }

    /**
     * Two chunks of replicas of which, after the first sample or two, one goes on to its end: the usual case. Only that one is decoded; of the
     * other its beginning says that it is not chosen there, and its last time that it is not at the end.
     *
     * @return whether it was so; if not, nothing is merged yet
     */
    private boolean mergePair(Chunk a, Chunk b) {
        if (!begin(a, headOfA) || !begin(b, headOfB)) {
            return false;
        }
        long firstOfA = headOfA.timestamps[0];
        long secondOfA = headOfA.timestamps[1];
        // Before this B is not chosen.
        long far = firstOfA + 1 + INITIAL_PENALTY_MILLIS;
        int skipped = headOfB.timestamps[0] < far ? 1 : 0;
        long ofB = headOfB.timestamps[skipped];
        if (firstOfA > headOfB.timestamps[0] || ofB < far) {
            return false;
        }
        samples.clear();
        if (secondOfA <= ofB) {
            ChunkDecoder.decode(a, samples);
            if (!goesOn(2, secondOfA, Math.max(far, after(firstOfA, secondOfA)), b.maxTime())) {
                return false;
            }
            place(0, 0);
            chunkPlaces[0] = 0;
            chunkPlaces[1] = samples.size;
            chunkPlaces[2] = samples.size;
            return true;
        }
        // The beginning of the other chunk comes first; only the one that goes on may be there as a whole.
        chunkPlaces[0] = -1;
        far = after(firstOfA, ofB);
        if (secondOfA < far) {
            samples.add(firstOfA, headOfA.values[0]);
            ChunkDecoder.decode(b, samples);
            // Of two at the same time A's is chosen: B has to come before.
            if (!goesOn(skipped + 2, ofB, far - 1, a.maxTime())) {
                return false;
            }
            place(1, skipped);
            chunkPlaces[1] = 1;
            chunkPlaces[2] = samples.size;
            return true;
        }
        if (skipped == 1 || secondOfA > headOfB.timestamps[1]) {
            return false;
        }
        samples.add(ofB, headOfB.values[0]);
        ChunkDecoder.decode(a, samples);
        if (!goesOn(3, secondOfA, after(ofB, secondOfA), b.maxTime())) {
            return false;
        }
        place(2, 0);
        places[0] = 1;
        places[1] = 0;
        chunkPlaces[1] = -1;
        chunkPlaces[2] = -1;
        return true;
    }

    /** The first two samples of a chunk, if it has them, rising, and lies where sums do not overflow; perhaps some more. */
    private static boolean begin(Chunk chunk, SampleBuffer into) {
        int n = chunk.encoding() == Encoding.XOR ? ChunkDecoder.sampleCount(chunk) : 0;
        if (n < 2 || chunk.minTime() <= -PLAUSIBLE || chunk.maxTime() >= PLAUSIBLE) {
            return false;
        }
        into.clear();
        long step = (chunk.maxTime() - chunk.minTime()) / (n - 1);
        return ChunkDecoder.decode(chunk, Long.MIN_VALUE, chunk.minTime() + 2 * step, into) >= 2 && into.timestamps[0] > -PLAUSIBLE
                && into.timestamps[0] < into.timestamps[1];
    }

    /** From when on the other side may be chosen again once a sample is chosen after another. */
    private static long after(long before, long chosen) {
        return chosen + 1 + 2 * (chosen - before);
    }

    /**
     * Whether all samples from one on are chosen without a look at the other chunk, and nothing of that one after them.
     *
     * @param last what was chosen before
     * @param far up to which the next one is chosen
     * @param otherEnd the last time of the other chunk
     */
    private boolean goesOn(int from, long last, long far, long otherEnd) {
        long[] t = samples.timestamps;
        long limit = far;
        long end = last;
        for (int i = from; i < samples.size; i++) {
            long x = t[i];
            if (x <= end || x > limit || x >= PLAUSIBLE) {
                return false;
            }
            limit = Math.max(limit, after(end, x) - 1);
            end = x;
        }
        return otherEnd < limit;
    }

    /** Chooses all samples, after the first ones some further on. */
    private void place(int first, int skipped) {
        ensure(samples.size);
        size = samples.size - skipped;
        for (int i = 0; i < size; i++) {
            places[i] = i < first ? i : skipped + i;
        }
    }

    private void decode(Chunk chunk) {
        switch (chunk.encoding()) {
            case XOR, XOR2 -> ChunkDecoder.decode(chunk, samples);
            case HISTOGRAM, FLOAT_HISTOGRAM, HISTOGRAM_ST, FLOAT_HISTOGRAM_ST -> {
                @Nullable
                Object[] kept = histograms == null ? new Object[samples.timestamps.length] : histograms;
                SampleCursor cursor = ChunkDecoder.cursor(chunk);
                for (SampleCursor.Kind kind = cursor.next(); kind != SampleCursor.Kind.END; kind = cursor.next()) {
                    samples.add(cursor.timestamp(), 0.0);
                    if (cursor.startTimestamp() != 0) {
                        samples.startTimestampArray()[samples.size - 1] = cursor.startTimestamp();
                    }
                    if (kept.length < samples.size) {
                        kept = Arrays.copyOf(kept, samples.timestamps.length);
                    }
                    kept[samples.size - 1] = kind == SampleCursor.Kind.HISTOGRAM ? cursor.histogram() : cursor.floatHistogram();
                }
                histograms = kept;
            }
            case AGGREGATE -> throw new IllegalArgumentException("an aggregate is no sequence of samples");
        }
    }

    /** Makes chunks of what was chosen. */
    private void encode(ChunkAppender appender, List<Chunk> chunks) {
        if (histograms == null && samples.startTimestamps == null) {
            for (int i = 0; i < size; i += ChunkAppender.USUAL_SAMPLES) {
                int n = Math.min(ChunkAppender.USUAL_SAMPLES, size - i);
                Chunk same = appender == plain ? wholeChunk(i, n, chunks) : null;
                if (same != null) {
                    out.add(same);
                } else {
                    encodeFloats(appender, i, n);
                }
            }
            return;
        }
        long[] t = samples.timestamps;
        double[] v = samples.values;
        long[] starts = samples.startTimestamps;
        @Nullable
        Object[] kept = histograms;
        for (int i = 0; i < size; i++) {
            int p = places[i];
            long start = starts == null ? 0 : starts[p];
            switch (kept == null || p >= kept.length ? null : kept[p]) {
                case Histogram h -> appender.append(start, t[p], h);
                case FloatHistogram h -> appender.append(start, t[p], h);
                case null, default -> appender.append(start, t[p], v[p]);
            }
        }
        appender.cut();
    }

    private void encodeFloats(ChunkAppender appender, int from, int n) {
        for (int i = 0; i < n; i++) {
            int p = places[from + i];
            outTimes[i] = samples.timestamps[p];
            outValues[i] = samples.values[p];
        }
        appender.append(outTimes, outValues, 0, n);
        appender.cut();
    }

    /**
     * The chunk whose samples, all of them and no others, were chosen in that place; null where there is none. It need not be encoded again: while
     * one replica misses nothing all of its chunks are taken as they are.
     */
    private @Nullable Chunk wholeChunk(int from, int n, List<Chunk> chunks) {
        int first = places[from];
        int c = Arrays.binarySearch(chunkPlaces, 0, chunks.size(), first);
        // Chunks without samples begin where the one behind them does.
        while (c >= 0 && chunkPlaces[c + 1] == first) {
            c++;
        }
        if (c < 0 || chunkPlaces[c + 1] - first != n || chunks.get(c).encoding() != Encoding.XOR) {
            return null;
        }
        int others = 0;
        for (int i = 0; i < n; i++) {
            others |= places[from + i] - first - i;
        }
        if (others != 0) {
            return null;
        }
        Chunk chunk = chunks.get(c);
        return new Chunk(samples.timestamps[first], samples.timestamps[first + n - 1], Encoding.XOR, chunk.data(), chunk.offset(),
                chunk.length());
    }

    /** Merges what is merged already with the samples of a chunk. */
    private void add(int from, int to) {
        if (from == to) {
            return;
        }
        long[] b = samples.timestamps;
        ensure(size + to - from);
        if (size == 0) {
            System.arraycopy(b, from, times, 0, to - from);
            for (int i = from; i < to; i++) {
                places[size++] = i;
            }
            return;
        }
        int keep = keep(b[from]);
        int tail = size - keep;
        if (keep == 0) {
            long[] t = times;
            times = tailTimes;
            tailTimes = t;
            int[] p = places;
            places = tailPlaces;
            tailPlaces = p;
        } else {
            System.arraycopy(times, keep, tailTimes, 0, tail);
            System.arraycopy(places, keep, tailPlaces, 0, tail);
        }
        size = keep;
        reachSize = Math.min(reachSize, keep);
        merge(tail, b, from, to);
    }

    private void ensure(int need) {
        if (need > times.length) {
            int capacity = need + (need >> 1);
            times = Arrays.copyOf(times, capacity);
            places = Arrays.copyOf(places, capacity);
            tailTimes = new long[capacity];
            tailPlaces = new int[capacity];
        }
    }

    /** How many samples are chosen as before: those after which the search in the chunk has not passed its first sample. */
    private int keep(long first) {
        if (first <= times[0]) {
            return 0;
        }
        if (reach.length < size) {
            reach = Arrays.copyOf(reach, times.length);
        }
        // It never falls: what lies behind the first that is too far need not be known.
        while (reachSize < size && (reachSize == 0 || reach[reachSize - 1] <= first)) {
            int i = reachSize++;
            boolean plausible = times[i] > -PLAUSIBLE && times[i] < PLAUSIBLE && (i == 0 || times[i - 1] > -PLAUSIBLE);
            long here = plausible ? times[i] + 1 + penalty(i) : Long.MAX_VALUE;
            reach[i] = i == 0 ? here : Math.max(here, reach[i - 1]);
        }
        int keep = reachSize;
        while (keep > 0 && reach[keep - 1] > first) {
            keep--;
        }
        return keep;
    }

    /** What the other side is charged after the choice of a sample. */
    private long penalty(int index) {
        return index == 0 ? INITIAL_PENALTY_MILLIS : 2 * (times[index] - times[index - 1]);
    }

    private void merge(int tail, long[] b, int from, int to) {
        long[] a = tailTimes;
        long[] intoTimes = times;
        int[] intoPlaces = places;
        int n = size;
        long last = n == 0 ? Long.MIN_VALUE : intoTimes[n - 1];
        long penaltyA = 0;
        long penaltyB = n == 0 ? 0 : penalty(n - 1);
        int i = 0;
        int j = from;
        while (true) {
            while (i < tail && a[i] < last + 1 + penaltyA) {
                i++;
            }
            while (j < to && b[j] < last + 1 + penaltyB) {
                j++;
            }
            boolean useA;
            if (i == tail) {
                if (j == to) {
                    break;
                }
                useA = false;
                penaltyB = 0;
            } else if (j == to) {
                useA = true;
                penaltyA = 0;
            } else {
                useA = a[i] <= b[j];
                long penalty = last == Long.MIN_VALUE ? INITIAL_PENALTY_MILLIS : 2 * ((useA ? a[i] : b[j]) - last);
                penaltyA = useA ? 0 : penalty;
                penaltyB = useA ? penalty : 0;
            }
            last = useA ? a[i] : b[j];
            intoTimes[n] = last;
            intoPlaces[n++] = useA ? tailPlaces[i] : j;
            // Mostly the same side goes on for long: it does as long as it comes before the other one may.
            if (useA) {
                long far = last + 1 + penaltyB;
                while (i < tail && a[i] <= far) {
                    long x = a[i];
                    if (x >= last + 1) {
                        penaltyB = last == Long.MIN_VALUE ? INITIAL_PENALTY_MILLIS : 2 * (x - last);
                        last = x;
                        intoTimes[n] = x;
                        intoPlaces[n++] = tailPlaces[i];
                        far = Math.max(far, x + 1 + penaltyB);
                    }
                    i++;
                }
                while (j < to && b[j] < far) {
                    j++;
                }
            } else {
                long far = last + 1 + penaltyA;
                while (j < to && b[j] < far) {
                    long x = b[j];
                    if (x >= last + 1) {
                        penaltyA = last == Long.MIN_VALUE ? INITIAL_PENALTY_MILLIS : 2 * (x - last);
                        last = x;
                        intoTimes[n] = x;
                        intoPlaces[n++] = j;
                        far = Math.max(far, x + 1 + penaltyA);
                    }
                    j++;
                }
                while (i < tail && a[i] < far) {
                    i++;
                }
            }
        }
        size = n;
    }
}
