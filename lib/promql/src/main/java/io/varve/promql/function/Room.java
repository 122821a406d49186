package io.varve.promql.function;

/**
 * Arrays that become longer with the series. Where the heap grows with them, an array of some megabytes may take longer to make than
 * all that is done with it: it is looked for the end of the query before each.
 */
final class Room {
    private Room() {
    }

    /** The array where it is long enough, else one of {@code n}, with nothing of what was in it. */
    static double[] doubles(double[] had, int n, Runnable check) {
        if (had.length >= n) {
            return had;
        }
        check.run();
        return new double[n];
    }

    /** As {@link #doubles}. */
    static long[] longs(long[] had, int n, Runnable check) {
        if (had.length >= n) {
            return had;
        }
        check.run();
        return new long[n];
    }

    /** As {@link #doubles}. */
    static int[] ints(int[] had, int n, Runnable check) {
        if (had.length >= n) {
            return had;
        }
        check.run();
        return new int[n];
    }
}
