package io.varve.storegateway;

import io.varve.model.ErrorText;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/**
 * The reads that one {@link RemoteCache#getAll} needs: side by side, as many as there is room for, none awaited beyond a deadline. For one
 * thread.
 */
final class CacheReads {
    private final Semaphore room;
    private final CacheMetrics.Client metrics;
    private final long deadlineNanos;
    private final List<Pending> pending = new ArrayList<>();
    private boolean interrupted;

    private record Pending(Thread thread, CacheHealth health, CompletableFuture<Map<String, byte[]>> answer) {
    }

    /**
     * @param room for reads at a time, over all calls
     * @param waitMillis how long all of it may take
     */
    CacheReads(Semaphore room, long waitMillis, CacheMetrics.Client metrics) {
        this.room = room;
        this.metrics = metrics;
        this.deadlineNanos = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(waitMillis);
    }

    /**
     * Begins a read where the server is worth asking and there is room in time.
     *
     * @param health the server's
     * @param read does not throw, and tells {@code health} how it went
     */
    void begin(CacheHealth health, Supplier<Map<String, byte[]>> read) {
        if (interrupted) {
            return;
        }
        if (!health.mayAsk()) {
            metrics.skipped("getmulti", "server-down", 1);
            return;
        }
        try {
            if (!room.tryAcquire(left(), TimeUnit.NANOSECONDS)) {
                health.notAsked();
                metrics.skipped("getmulti", "busy", 1);
                return;
            }
        } catch (InterruptedException e) {
            health.notAsked();
            interrupted = true;
            return;
        }
        CompletableFuture<Map<String, byte[]>> answer = new CompletableFuture<>();
        Thread thread = Thread.ofVirtual().name("cache get").start(() -> {
            try {
                answer.complete(read.get());
            } finally {
                room.release();
                answer.complete(Map.of());
            }
        });
        pending.add(new Pending(thread, health, answer));
    }

    private long left() {
        return Math.max(0, deadlineNanos - System.nanoTime());
    }

    /** What was found until the deadline. Who answers too late is as good as down. */
    Map<String, byte[]> found() {
        Map<String, byte[]> out = new HashMap<>();
        for (Pending p : pending) {
            if (interrupted) {
                p.thread.interrupt();
                continue;
            }
            try {
                out.putAll(p.answer.get(left(), TimeUnit.NANOSECONDS));
            } catch (TimeoutException | ExecutionException e) {
                p.health.failed(e instanceof TimeoutException ? "no answer in time" : ErrorText.of(e));
                p.thread.interrupt();
            } catch (InterruptedException e) {
                interrupted = true;
                p.thread.interrupt();
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return out;
    }
}
