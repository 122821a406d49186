package io.varve.runtime.flags;

import picocli.CommandLine.Option;

/** Limits of one Series call; 0 = off. */
public final class LimitsFlags {
    /** For picocli. */
    public LimitsFlags() {
    }

    @Option(names = "--store.limits.request-series", paramLabel = "<number>", converter = Unsigned.class, defaultValue = "0", description = "The greatest number of series of one Series call; the call fails beyond it. 0 = no limit.")
    private long series;

    @Option(names = "--store.limits.request-samples", paramLabel = "<number>", converter = Unsigned.class, defaultValue = "0", description = "The greatest number of samples of one Series call, a chunk counting as 120; the call fails beyond it. 0 = no limit.")
    private long samples;

    /** Series at most, 0 = no limit. */
    public long series() {
        return series;
    }

    /** Samples at most (chunks times 120), 0 = no limit. */
    public long samples() {
        return samples;
    }
}
