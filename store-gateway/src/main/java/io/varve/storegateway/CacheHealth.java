package io.varve.storegateway;

import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether a cache server is worth asking: after a failure it is left alone for a while, longer each time, so that a dead server costs one
 * timeout and no more. Who may ask says how it went, with one of the other three. That it fails and that it works again is logged once each.
 * Safe for many threads.
 */
final class CacheHealth {
    private static final Logger LOG = LoggerFactory.getLogger(CacheHealth.class);
    private static final long FIRST_NANOS = 1_000_000_000L;
    private static final long LONGEST_NANOS = 30_000_000_000L;

    private final String server;
    private final LongSupplier nanos;
    private long pauseNanos;
    private long untilNanos;
    private boolean down;
    private boolean probing;

    /** @param server what is asked, for the log */
    CacheHealth(String server) {
        this(server, System::nanoTime);
    }

    CacheHealth(String server, LongSupplier nanos) {
        this.server = server;
        this.nanos = nanos;
    }

    /** Whether to ask now. While the server is down one caller at a time may try. */
    synchronized boolean mayAsk() {
        if (!down) {
            return true;
        }
        if (probing || nanos.getAsLong() - untilNanos < 0) {
            return false;
        }
        probing = true;
        return true;
    }

    synchronized void worked() {
        if (down) {
            LOG.atInfo().addKeyValue("server", server).log("cache server works again");
        }
        down = false;
        probing = false;
        pauseNanos = 0;
    }

    /**
     * Requests that fail together are one failure: only the first of them begins a pause.
     *
     * @param why for the log
     */
    synchronized void failed(String why) {
        if (!down) {
            LOG.atWarn().addKeyValue("server", server).addKeyValue("err", why)
                    .log("cache server fails, what it may hold is read from the bucket meanwhile");
        }
        long now = nanos.getAsLong();
        if (!down || probing && now - untilNanos >= 0) {
            pauseNanos = pauseNanos == 0 ? FIRST_NANOS : Math.min(LONGEST_NANOS, pauseNanos * 2);
            untilNanos = now + pauseNanos;
        }
        down = true;
        probing = false;
    }

    /** The server was not asked after all. */
    synchronized void notAsked() {
        probing = false;
    }
}
