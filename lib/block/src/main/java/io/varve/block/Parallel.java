package io.varve.block;

import io.varve.model.CancelledException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;

/** Independent steps, a few at a time. */
final class Parallel {
    private Parallel() {
    }

    /** Runs all steps, at most {@code concurrency} at a time; after the first failure the others are interrupted and it is thrown. */
    static void run(int concurrency, String what, List<? extends Callable<?>> steps) {
        if (concurrency <= 1 || steps.size() <= 1) {
            for (Callable<?> step : steps) {
                try {
                    step.call();
                } catch (Exception e) {
                    throw unchecked(e);
                }
            }
            return;
        }
        Semaphore slots = new Semaphore(concurrency);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> running = new ArrayList<>();
            for (Callable<?> step : steps) {
                running.add(threads.submit(() -> {
                    slots.acquire();
                    try {
                        return step.call();
                    } finally {
                        slots.release();
                    }
                }));
            }
            try {
                for (Future<?> step : running) {
                    step.get();
                }
            } catch (ExecutionException e) {
                threads.shutdownNow();
                Throwable cause = e.getCause();
                throw unchecked(cause == null ? e : cause);
            } catch (InterruptedException e) {
                threads.shutdownNow();
                Thread.currentThread().interrupt();
                throw new CancelledException(CancelledException.Reason.CANCELED, what + ": interrupted");
            }
        }
    }

    private static RuntimeException unchecked(Throwable e) {
        return switch (e) {
            case RuntimeException r -> r;
            case Error error -> throw error;
            default -> new IllegalStateException(e);
        };
    }
}
