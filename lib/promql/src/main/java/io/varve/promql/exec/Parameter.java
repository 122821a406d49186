package io.varve.promql.exec;

import io.varve.model.GoFloat;
import io.varve.model.InvalidRequestException;
import io.varve.promql.function.Notes;
import io.varve.promql.parser.Position;
import java.util.List;

/**
 * The scalar parameter of an aggregation by step. Its extremes alone decide what is refused or warned of, as in Prometheus. What is aggregated is evaluated
 * before a parameter is refused, so that its own failure comes first.
 */
final class Parameter {
    /** The greatest float below 2^63. */
    private static final double MAX_INT64 = 9223372036854774784.0;

    private final Operator aggregated;
    private final double[] values;
    private double least = Double.MAX_VALUE;
    private double most = -Double.MAX_VALUE;
    private boolean anyNaN;

    /** Evaluates the second of an aggregation's inputs. */
    Parameter(List<Operator> inputs) {
        this.aggregated = inputs.getFirst();
        this.values = inputs.get(1).scalar();
        for (double v : values) {
            least = Math.min(least, v);
            most = Math.max(most, v);
            anyNaN |= Double.isNaN(v);
        }
    }

    /**
     * As whole numbers; those below 1 are 0.
     *
     * @throws InvalidRequestException where one is no such number
     */
    int[] wholeNumbers() {
        int[] k = new int[values.length];
        if (most < 1) {
            return k;
        }
        if (anyNaN) {
            throw refusal("Parameter value is NaN");
        }
        if (least <= -0x1p63) {
            throw refusal("Scalar value " + GoFloat.general(least) + " underflows int64");
        }
        if (most >= MAX_INT64) {
            throw refusal("Scalar value " + GoFloat.general(most) + " overflows int64");
        }
        for (int i = 0; i < k.length; i++) {
            k[i] = (int) Math.max(0, Math.min(Integer.MAX_VALUE, (long) values[i]));
        }
        return k;
    }

    /**
     * As shares, from −1 to 1.
     *
     * @throws InvalidRequestException where one is not a number
     */
    double[] ratios(Notes notes, Position position) {
        if (anyNaN) {
            throw refusal("Ratio value is NaN");
        }
        double[] r = new double[values.length];
        for (int i = 0; i < r.length; i++) {
            r[i] = Math.max(-1, Math.min(1, values[i]));
        }
        if (most > 1) {
            noteCapped(most, 1, notes, position);
        }
        if (least < -1) {
            noteCapped(least, -1, notes, position);
        }
        return r;
    }

    private InvalidRequestException refusal(String text) {
        while (aggregated.next() != null) {
            // Only whether it fails is asked.
        }
        return QueryRun.failure(text);
    }

    private static void noteCapped(double ratio, double to, Notes notes, Position position) {
        notes.warn(position,
                "ratio value should be between -1 and 1, got " + GoFloat.general(ratio) + ", capping to " + GoFloat.general(to));
    }

    /** As quantiles, which may be any number. */
    double[] quantiles(Notes notes, Position position) {
        if (anyNaN) {
            noteQuantile(Double.NaN, notes, position);
            return values;
        }
        if (most > 1) {
            noteQuantile(most, notes, position);
        }
        if (least < 0) {
            noteQuantile(least, notes, position);
        }
        return values;
    }

    private static void noteQuantile(double q, Notes notes, Position position) {
        notes.warn(position, "quantile value should be between 0 and 1, got " + GoFloat.general(q));
    }
}
