package io.varve.promql.function;

/**
 * A function over the windows of one series. Instances hold scratch arrays: one per thread.
 */
public interface RangeFunction {
    /**
     * Computes all steps.
     *
     * @param out comes in empty
     * @param notes where warnings go
     */
    void apply(Windows windows, Row out, Notes notes);

    /** Whether of the histograms in a window it looks at the first, the last and those around resets alone: see {@link Windows#ends}. */
    default boolean looksAtEnds() {
        return false;
    }

    /**
     * Allows rows with {@link Row#flat} from now on: who takes a row looks at it before the next one is made.
     */
    default void allowFlat() {
    }

    /** Bytes of memory that rows with {@link Row#flat} hold. */
    default long flatBytes() {
        return 0;
    }

    /** Bytes of scratch memory that it may need for each sample of a series. */
    default int bytesPerSample() {
        return 0;
    }
}
