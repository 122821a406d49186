package io.varve.model;

import java.util.Arrays;
import java.util.function.IntConsumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The decoded samples of one series in parallel arrays: what decoders fill and what the PromQL engine reads. Reused from
 * series to series; one thread. Fields are public for hot loops; they may be replaced by {@link #ensure}.
 *
 * <p>
 * Sample {@code i} is a histogram where {@code histograms != null && histograms[i] != null}, else the float {@code values[i]}.
 * Times are milliseconds, strictly rising once a series is complete. Histograms are shared, never to be changed.
 */
public final class SampleBuffer {
    /** Prometheus' stale marker, to be compared by bits. */
    public static final long STALE_NAN_BITS = 0x7ff0000000000002L;
    /** The stale marker as a double. */
    public static final double STALE_NAN = Double.longBitsToDouble(STALE_NAN_BITS);

    /** Milliseconds. */
    public long[] timestamps;
    /** Floats; undefined where the sample is a histogram. */
    public double[] values;
    /** Histograms, or null while all samples are floats. */
    public @Nullable FloatHistogram @Nullable [] histograms;
    /** Start timestamps (0 unknown), or null while none is known. */
    public long @Nullable [] startTimestamps;
    /** How many samples there are. */
    public int size;
    /**
     * Where the reader looks at some of the histograms alone, or null where at all. Those it does not look at, the same object as the
     * sample before may stand for, as long as that has the same layout, both are known to follow without a reset and neither is stale.
     * Kept by {@link #clear}.
     */
    public @Nullable WindowEnds windowEnds;
    /** Hears of the bytes of each histogram before it is made, and may throw to refuse it; null where nobody asks. Kept by {@link #clear}. */
    public @Nullable LongConsumer histogramBytes;
    /**
     * Hears for how many samples there is going to be room, before each of the arrays grows (many megabytes for long series), and may
     * throw where nobody wants the samples any longer; the buffer is to be cleared then. Null where nobody asks. Kept by {@link #clear}.
     */
    public @Nullable IntConsumer growing;

    /** An empty buffer with room for {@code capacity} samples. */
    public SampleBuffer(int capacity) {
        timestamps = new long[capacity];
        values = new double[capacity];
    }

    /** Forgets all samples and is for a part of what another is going to hold: as much is wanted of its histograms, and reserved in the same place. */
    public void beginPartOf(SampleBuffer whole) {
        clear();
        windowEnds = whole.windowEnds;
        histogramBytes = whole.histogramBytes;
        growing = whole.growing;
    }

    /** Forgets all samples and who reads them. */
    public void endPart() {
        clear();
        windowEnds = null;
        histogramBytes = null;
        growing = null;
    }

    /** Says that a histogram of so many bytes is about to be made. */
    public void announce(long bytes) {
        LongConsumer c = histogramBytes;
        if (c != null) {
            c.accept(bytes);
        }
    }

    /** Forgets all samples, keeps the arrays. */
    public void clear() {
        size = 0;
        histograms = null;
        startTimestamps = null;
    }

    /** Makes room for {@code more} samples beyond {@link #size}. */
    public void ensure(int more) {
        int need = size + more;
        if (need > timestamps.length) {
            int capacity = Math.max(need, timestamps.length + (timestamps.length >> 1) + 16);
            grows(capacity);
            long[] t = Arrays.copyOf(timestamps, capacity);
            grows(capacity);
            values = Arrays.copyOf(values, capacity);
            timestamps = t;
            if (histograms != null) {
                grows(capacity);
                histograms = Arrays.copyOf(histograms, capacity);
            }
            if (startTimestamps != null) {
                grows(capacity);
                startTimestamps = Arrays.copyOf(startTimestamps, capacity);
            }
        }
    }

    private void grows(int capacity) {
        IntConsumer g = growing;
        if (g != null) {
            g.accept(capacity);
        }
    }

    /** Appends a float. */
    public void add(long timestamp, double value) {
        ensure(1);
        timestamps[size] = timestamp;
        values[size] = value;
        if (histograms != null) {
            histograms[size] = null;
        }
        if (startTimestamps != null) {
            startTimestamps[size] = 0;
        }
        size++;
    }

    /** Appends a histogram, which the buffer may share from now on. */
    public void add(long timestamp, FloatHistogram histogram) {
        add(timestamp, 0.0);
        histogramArray()[size - 1] = histogram;
    }

    /** The histogram of sample {@code index}, null where it is a float. */
    public @Nullable FloatHistogram histogram(int index) {
        return histograms == null ? null : histograms[index];
    }

    /** The array of histograms, made where there was none. */
    public @Nullable FloatHistogram[] histogramArray() {
        @Nullable
        FloatHistogram[] h = histograms;
        if (h == null) {
            h = new FloatHistogram[timestamps.length];
            histograms = h;
        }
        return h;
    }

    /** The array of start timestamps, made (all 0) where there was none. */
    public long[] startTimestampArray() {
        long[] st = startTimestamps;
        if (st == null) {
            st = new long[timestamps.length];
            startTimestamps = st;
        }
        return st;
    }

    /** Whether the value is the stale marker. */
    public static boolean isStale(double value) {
        return Double.doubleToRawLongBits(value) == STALE_NAN_BITS;
    }
}
