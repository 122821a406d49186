package io.varve.runtime;

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryNotificationInfo;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import javax.management.NotificationEmitter;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the parallel collector's old generation near what is alive in it. That collector lets the old generation grow to its maximum before it
 * looks into it, so a process whose requests live a little longer than a young collection would take all the memory it may have, and
 * keep it. Here a full collection runs whenever the old generation holds twice what was alive after the last one, so that its cost stays in
 * proportion. What a burst of requests made it grow to is given back a minute after the last of these: the launcher's flags let a collection that is
 * asked for resize the heap. Does nothing under other collectors. Safe for many threads.
 */
public final class OldGeneration {
    private static final Logger LOG = LoggerFactory.getLogger(OldGeneration.class);
    /** Below this it is not worth it, in bytes. */
    private static final long FLOOR = 64L << 20;
    /** After how long without a collection to look whether there is something to give back. */
    private static final long IDLE_SECONDS = 60;
    private static final String POOL = "PS Old Gen";

    private final MemoryPoolMXBean pool;
    private final Semaphore full = new Semaphore(0);

    private OldGeneration(MemoryPoolMXBean pool) {
        this.pool = pool;
    }

    /** Begins to watch, for as long as the JVM lives. */
    static void watch() {
        pools().forEach(pool -> new OldGeneration(pool).start());
    }

    /** Collects now and gives back what is free: for work that is over and left much behind, while nobody waits for this process. */
    public static void giveBack() {
        if (!pools().isEmpty()) {
            System.gc();
        }
    }

    /** The old generation, where it is this collector's. */
    private static List<MemoryPoolMXBean> pools() {
        return ManagementFactory.getMemoryPoolMXBeans().stream()
                .filter(p -> p.getType() == MemoryType.HEAP && p.getName().equals(POOL) && p.isUsageThresholdSupported()).toList();
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
        // What the last look left committed; 0 after a collection since which nobody looked.
        long kept = pool.getUsage().getCommitted();
        while (true) {
            boolean grown;
            try {
                grown = full.tryAcquire(IDLE_SECONDS, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                return;
            }
            full.drainPermits();
            if (!grown && !worthALook(pool.getUsage().getCommitted(), kept)) {
                continue;
            }
            long before = pool.getUsage().getUsed();
            System.gc();
            setThreshold();
            kept = grown ? 0 : pool.getUsage().getCommitted();
            LOG.atDebug().addKeyValue("before_bytes", before).addKeyValue("after_bytes", pool.getUsage().getUsed())
                    .addKeyValue("committed_bytes", pool.getUsage().getCommitted()).log("collected the old generation");
        }
    }

    /** Whether memory that is committed may be given back: not where the last look at about as much gave nothing. */
    static boolean worthALook(long committed, long kept) {
        return committed > FLOOR && committed > kept + kept / 2;
    }

    private void setThreshold() {
        long wanted = Math.max(FLOOR, 2 * pool.getUsage().getUsed());
        long max = pool.getUsage().getMax();
        // Near its maximum the collector acts by itself.
        pool.setUsageThreshold(max < 0 || wanted < max ? wanted : 0);
    }
}
