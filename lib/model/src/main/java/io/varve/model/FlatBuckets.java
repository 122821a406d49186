package io.varve.model;

/** All buckets of a histogram in rising order as parallel arrays: negative ones, the zero bucket where it has observations, positive ones. */
final class FlatBuckets {
    final double[] lower;
    final double[] upper;
    final double[] count;
    /** −1 negative, 0 zero bucket, 1 positive. */
    final byte[] sign;
    final int[] index;
    int size;

    FlatBuckets(FloatHistogram h) {
        int n = h.positiveBuckets().length + h.negativeBuckets().length + 1;
        lower = new double[n];
        upper = new double[n];
        count = new double[n];
        sign = new byte[n];
        index = new int[n];
        boolean custom = h.usesCustomBuckets();
        BucketSide side = new BucketSide();
        side.set(h.negativeSpans(), h.negativeBuckets());
        for (int i = side.size - 1; i >= 0; i--) {
            int at = side.index[i];
            put(-ExponentialBounds.upper(at, schema(h)), -ExponentialBounds.upper(at - 1, schema(h)), side.count[i], -1, at);
        }
        if (h.zeroCount() > 0 && !custom) {
            put(-h.zeroThreshold(), h.zeroThreshold(), h.zeroCount(), 0, 0);
        }
        side.set(h.positiveSpans(), h.positiveBuckets());
        for (int i = 0; i < side.size; i++) {
            int at = side.index[i];
            if (custom) {
                put(customBound(h.customValues(), at - 1), customBound(h.customValues(), at), side.count[i], 1, at);
            } else {
                put(ExponentialBounds.upper(at - 1, schema(h)), ExponentialBounds.upper(at, schema(h)), side.count[i], 1, at);
            }
        }
    }

    /**
     * The same where buckets that reach into the zero bucket begin at its edge, as Prometheus goes over them for estimates and JSON. One that lies wholly
     * inside has its bounds the wrong way round then.
     */
    static FlatBuckets beyondZero(FloatHistogram h) {
        FlatBuckets b = new FlatBuckets(h);
        double zero = h.usesCustomBuckets() ? 0 : h.zeroThreshold();
        for (int i = 0; i < b.size; i++) {
            if (b.sign[i] < 0 && b.upper[i] < 0 && b.upper[i] > -zero) {
                b.upper[i] = -zero;
            } else if (b.sign[i] > 0 && b.lower[i] > 0 && b.lower[i] < zero) {
                b.lower[i] = zero;
            }
        }
        return b;
    }

    private static int schema(FloatHistogram h) {
        return Math.min(h.schema(), ExponentialBounds.MAX_SCHEMA);
    }

    private static double customBound(double[] values, int i) {
        return i < 0 ? Double.NEGATIVE_INFINITY : i >= values.length ? Double.POSITIVE_INFINITY : values[i];
    }

    private void put(double lo, double up, double c, int s, int at) {
        lower[size] = lo;
        upper[size] = up;
        count[size] = c;
        sign[size] = (byte) s;
        index[size] = at;
        size++;
    }
}
