package io.varve.store;

/** Which part of downsampled data is asked for; in the order of the wire. */
public enum Aggregate {
    /** Raw samples. */
    RAW,
    /** Samples per window. */
    COUNT,
    /** Sum per window. */
    SUM,
    /** Least per window. */
    MIN,
    /** Greatest per window. */
    MAX,
    /** Counter with resets taken out. */
    COUNTER
}
