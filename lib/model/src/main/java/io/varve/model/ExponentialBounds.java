package io.varve.model;

/**
 * Bucket bounds of exponential schemas, bit for bit those of Prometheus: it prints and compares bounds, so being off in the last
 * place would show.
 */
final class ExponentialBounds {
    static final int MAX_SCHEMA = 8;
    /** Bounds in [0.5, 1) of schema 8; lower schemas use every 2^n-th of them. */
    private static final double[] FRACTIONS = fractions();

    private ExponentialBounds() {
    }

    /**
     * Prometheus' table was made level by level: bounds of a schema are those of the one below, each followed by itself times the
     * schema's growth factor. Its √2 is one unit in the last place too small; the others are exact.
     */
    private static double[] fractions() {
        double[] level = {0.5};
        for (int schema = 1; schema <= MAX_SCHEMA; schema++) {
            double factor = Math.pow(2, 1.0 / (1 << schema));
            if (schema == 1) {
                factor = Math.nextDown(factor);
            }
            double[] next = new double[level.length * 2];
            for (int i = 0; i < next.length; i++) {
                next[i] = (i & 1) == 0 ? level[i >> 1] : next[i - 1] * factor;
            }
            level = next;
        }
        return level;
    }

    /** Whether a bucket reaches beyond a zero bucket of that width. */
    static boolean isBeyondZero(int index, int schema, double zeroThreshold) {
        return zeroThreshold == 0 || upper(index, schema) > zeroThreshold;
    }

    /** The upper bound of the positive bucket {@code index}; the last bucket of finite numbers ends at the largest of them. */
    static double upper(int index, int schema) {
        if (schema <= 0) {
            long exponent = (long) index << -schema;
            if (exponent == 1024) {
                return Double.MAX_VALUE;
            }
            return Math.scalb(1.0, (int) Math.max(-2000, Math.min(2000, exponent)));
        }
        int fraction = index & ((1 << schema) - 1);
        int exponent = (index >> schema) + 1;
        if (fraction == 0 && exponent == 1025) {
            return Double.MAX_VALUE;
        }
        int stride = MAX_SCHEMA - schema;
        return Math.scalb(FRACTIONS[fraction << stride], exponent);
    }

    /** The bucket of schema {@code to} that the bucket {@code index} of {@code from} lies in. */
    static int reduced(int index, int from, int to) {
        return from == to ? index : (index - 1 >> from - to) + 1;
    }
}
