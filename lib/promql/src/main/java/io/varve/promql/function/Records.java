package io.varve.promql.function;

import java.util.Arrays;

/**
 * Some numbers for each sample of a series, too many together for one array: an array for each few thousand samples, made when one of
 * them is first written. Reused from series to series; one thread.
 */
final class Records {
    private static final int SHIFT = 12;
    private static final int MASK = (1 << SHIFT) - 1;
    private static final double[] NONE = new double[0];

    private final int width;
    private final Runnable check;
    private double[][] blocks = new double[0][];
    private int samples;

    /**
     * @param width how many numbers there are for a sample
     * @param check called before an array is made; throws where the query is over
     */
    Records(int width, Runnable check) {
        this.width = width;
        this.check = check;
    }

    /** Makes ready for so many samples; what was stored stays. */
    void start(int count) {
        samples = Math.max(samples, count);
        int need = samples + MASK >>> SHIFT;
        if (blocks.length < need) {
            int had = blocks.length;
            blocks = Arrays.copyOf(blocks, need);
            Arrays.fill(blocks, had, need, NONE);
        }
    }

    /** The array that holds a sample's numbers, from {@link #at}, to be written. */
    double[] writable(int sample) {
        int block = sample >>> SHIFT;
        double[] b = blocks[block];
        // A short series takes no more than it needs; what a longer one before it left is long enough.
        if (b.length <= at(sample)) {
            check.run();
            b = Arrays.copyOf(b, width * Math.min(1 << SHIFT, samples - (block << SHIFT)));
            blocks[block] = b;
        }
        return b;
    }

    /** The array that holds a sample's numbers, from {@link #at}; they were written. */
    double[] of(int sample) {
        return blocks[sample >>> SHIFT];
    }

    /** Where in its array a sample's numbers begin. */
    int at(int sample) {
        return (sample & MASK) * width;
    }
}
