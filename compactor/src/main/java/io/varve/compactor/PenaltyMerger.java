package io.varve.compactor;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
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
    /** {@link Histogram} or {@link FloatHistogram} of each sample, null where all are floats. */
    private @Nullable Object @Nullable [] histograms;
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
    private long[] outTimes = new long[512];
    private double[] outValues = new double[512];
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
        samples.clear();
        histograms = null;
        size = 0;
        reachSize = 0;
        for (Chunk chunk : overlapping) {
            int from = samples.size;
            decode(chunk);
            add(from, samples.size);
        }
        out.clear();
        encode(startTimestamps ? withStarts : plain);
        return List.copyOf(out);
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

    /** Encodes what was chosen. */
    private void encode(ChunkAppender appender) {
        long[] t = samples.timestamps;
        double[] v = samples.values;
        long[] starts = samples.startTimestamps;
        @Nullable
        Object[] kept = histograms;
        if (kept == null && starts == null) {
            if (outTimes.length < size) {
                outTimes = new long[times.length];
                outValues = new double[times.length];
            }
            for (int i = 0; i < size; i++) {
                int p = places[i];
                outTimes[i] = t[p];
                outValues[i] = v[p];
            }
            appender.append(outTimes, outValues, 0, size);
        } else {
            for (int i = 0; i < size; i++) {
                int p = places[i];
                long start = starts == null ? 0 : starts[p];
                switch (kept == null || p >= kept.length ? null : kept[p]) {
                    case Histogram h -> appender.append(start, t[p], h);
                    case FloatHistogram h -> appender.append(start, t[p], h);
                    case null, default -> appender.append(start, t[p], v[p]);
                }
            }
        }
        appender.cut();
    }

    /** Merges what is merged already with the samples of a chunk. */
    private void add(int from, int to) {
        if (from == to) {
            return;
        }
        long[] b = samples.timestamps;
        int need = size + to - from;
        if (need > times.length) {
            int capacity = need + (need >> 1);
            times = Arrays.copyOf(times, capacity);
            places = Arrays.copyOf(places, capacity);
            tailTimes = new long[capacity];
            tailPlaces = new int[capacity];
        }
        if (size == 0) {
            for (int i = from; i < to; i++) {
                times[size] = b[i];
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

    /** How many samples are chosen as before: those after which the search in the chunk has not passed its first sample. */
    private int keep(long first) {
        if (first <= times[0]) {
            return 0;
        }
        if (reach.length < size) {
            reach = Arrays.copyOf(reach, times.length);
        }
        for (int i = reachSize; i < size; i++) {
            boolean plausible = times[i] > -PLAUSIBLE && times[i] < PLAUSIBLE && (i == 0 || times[i - 1] > -PLAUSIBLE);
            long here = plausible ? times[i] + 1 + penalty(i) : Long.MAX_VALUE;
            reach[i] = i == 0 ? here : Math.max(here, reach[i - 1]);
        }
        reachSize = size;
        int keep = size;
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
        }
        size = n;
    }
}
