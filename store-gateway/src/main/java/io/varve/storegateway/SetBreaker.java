package io.varve.storegateway;

import java.util.function.LongSupplier;

/**
 * The circuit breaker of {@code set_async_circuit_breaker_config}: sets that fail too often are not tried for a while, then a few are tried
 * to see whether the server is back. Safe for many threads.
 */
final class SetBreaker {
    /** So long failures are counted while all goes well. */
    private static final long INTERVAL_NANOS = 10_000_000_000L;

    /**
     * Settings, named as in the YAML.
     *
     * @param enabled whether it does anything
     * @param halfOpenMaxRequests sets that are tried after a pause
     * @param openMillis how long the pause is
     * @param minRequests sets below which nothing is decided
     * @param consecutiveFailures failures in a row that open it
     * @param failureRatio share of failures that opens it
     */
    record Settings(boolean enabled, int halfOpenMaxRequests, long openMillis, int minRequests, int consecutiveFailures,
            double failureRatio) {
        /** Off, as it is without configuration. */
        static final Settings OFF = new Settings(false, 10, 5000, 50, 5, 0.05);
    }

    private enum State {
        CLOSED, OPEN, HALF_OPEN
    }

    private final Settings settings;
    private final LongSupplier nanos;
    private State state = State.CLOSED;
    private long sinceNanos;
    private int requests;
    private int successes;
    private int failures;
    private int inARow;

    SetBreaker(Settings settings) {
        this(settings, System::nanoTime);
    }

    SetBreaker(Settings settings, LongSupplier nanos) {
        this.settings = settings;
        this.nanos = nanos;
        this.sinceNanos = nanos.getAsLong();
    }

    /** Whether to try; who may must say with {@link #done} how it went. */
    synchronized boolean mayTry() {
        if (!settings.enabled) {
            return true;
        }
        long now = nanos.getAsLong();
        switch (state) {
            case CLOSED -> {
                if (now - sinceNanos > INTERVAL_NANOS) {
                    enter(State.CLOSED, now);
                }
            }
            case OPEN -> {
                if (now - sinceNanos < settings.openMillis * 1_000_000) {
                    return false;
                }
                enter(State.HALF_OPEN, now);
            }
            case HALF_OPEN -> {
                if (requests >= settings.halfOpenMaxRequests) {
                    return false;
                }
            }
        }
        requests++;
        return true;
    }

    /** How a try went. */
    synchronized void done(boolean worked) {
        if (!settings.enabled || state == State.OPEN) {
            return;
        }
        long now = nanos.getAsLong();
        if (worked) {
            successes++;
            inARow = 0;
            if (state == State.HALF_OPEN && successes >= settings.halfOpenMaxRequests) {
                enter(State.CLOSED, now);
            }
            return;
        }
        failures++;
        inARow++;
        if (state == State.HALF_OPEN || requests >= settings.minRequests
                && (inARow >= settings.consecutiveFailures || failures >= settings.failureRatio * requests)) {
            enter(State.OPEN, now);
        }
    }

    private void enter(State next, long now) {
        state = next;
        sinceNanos = now;
        requests = 0;
        successes = 0;
        failures = 0;
        inARow = 0;
    }
}
