package io.varve.promql;

import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a query evaluates to. Immutable by contract: arrays are not to be changed. */
public sealed interface QueryValue {
    /** The name in the HTTP API. */
    default String type() {
        return switch (this) {
            case Scalar s -> "scalar";
            case Text t -> "string";
            case Vector v -> "vector";
            case Matrix m -> "matrix";
        };
    }

    /** One number. */
    record Scalar(long timestampMillis, double value) implements QueryValue {
    }

    /** A string literal. */
    record Text(long timestampMillis, String value) implements QueryValue {
    }

    /** One sample per series at one instant; order means something for {@code sort}, {@code topk} and their like, else it is by labels. */
    record Vector(List<Sample> samples) implements QueryValue {
    }

    /** Many samples per series; sorted by labels. */
    record Matrix(List<Row> rows) implements QueryValue {
    }

    /**
     * One element of a vector.
     *
     * @param value the float, undefined where {@code histogram} is not null
     */
    record Sample(Labels labels, long timestampMillis, double value, @Nullable FloatHistogram histogram) {
    }

    /**
     * One series of a matrix: its floats and its histograms, each in strictly rising time, no instant in both. Series of one
     * matrix may share their times: nobody changes an array.
     *
     * @param floatTimes milliseconds, as long as {@code floats}
     * @param histogramTimes milliseconds, as long as {@code histograms}
     */
    record Row(Labels labels, long[] floatTimes, double[] floats, long[] histogramTimes, FloatHistogram[] histograms) {
    }
}
