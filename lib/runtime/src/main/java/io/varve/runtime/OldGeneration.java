package io.varve.runtime;

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryNotificationInfo;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.util.concurrent.Semaphore;
import javax.management.NotificationEmitter;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the parallel collector's old generation near what is alive in it. That collector lets the old generation grow to its maximum before it
 * looks into it, so a process whose requests live a little longer than a young collection would take all the memory it may have, and
 * keep it. Here a full collection runs whenever the old generation holds twice what was alive after the last one, so that its cost stays in
 * proportion. Does nothing under other collectors.
 */
final class OldGeneration {
    private static final Logger LOG = LoggerFactory.getLogger(OldGeneration.class);
    /** Below this it is not worth it, in bytes. */
    private static final long FLOOR = 160L << 20;
    private static final String POOL = "PS Old Gen";

    private final MemoryPoolMXBean pool;
    private final Semaphore full = new Semaphore(0);

    private OldGeneration(MemoryPoolMXBean pool) {
        this.pool = pool;
    }

    /** Begins to watch, for as long as the JVM lives. */
    static void watch() {
        for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
            if (pool.getType() == MemoryType.HEAP && pool.getName().equals(POOL) && pool.isUsageThresholdSupported()) {
                new OldGeneration(pool).start();
            }
        }
    }

    private void start() {
        setThreshold();
        if (ManagementFactory.getMemoryMXBean() instanceof NotificationEmitter emitter) {
            emitter.addNotificationListener((notification, handback) -> {
                if (notification.getType().equals(MemoryNotificationInfo.MEMORY_THRESHOLD_EXCEEDED)) {
                    full.release();
                }
            }, null, null);
            Thread.ofPlatform().daemon().name("old-generation").start(this::run);
        }
    }

    private void run() {
        while (true) {
            try {
                full.acquire();
            } catch (InterruptedException e) {
                return;
            }
            full.drainPermits();
            long before = pool.getUsage().getUsed();
            System.gc();
            setThreshold();
            LOG.atDebug().addKeyValue("before_bytes", before).addKeyValue("after_bytes", pool.getUsage().getUsed())
                    .log("collected the old generation");
        }
    }

    private void setThreshold() {
        long wanted = Math.max(FLOOR, 2 * pool.getUsage().getUsed());
        long max = pool.getUsage().getMax();
        // Near its maximum the collector acts by itself.
        pool.setUsageThreshold(max < 0 || wanted < max ? wanted : 0);
    }
}
