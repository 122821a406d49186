package io.varve.tsdb;

import java.io.IOException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** Work on files by another thread, for which the one that began it waits before it closes or removes them. */
final class Background {
    /** What may fail as files do. */
    @FunctionalInterface
    interface Work {
        /** Does it. */
        void run() throws IOException;
    }

    private final FutureTask<Boolean> task;

    private Background(FutureTask<Boolean> task) {
        this.task = task;
    }

    static Background start(String name, Work work) {
        FutureTask<Boolean> task = new FutureTask<>(() -> {
            work.run();
            return true;
        });
        Thread.ofPlatform().name(name).daemon().start(task);
        return new Background(task);
    }

    boolean isDone() {
        return task.isDone();
    }

    /** Waits whatever comes, and throws what the work threw. */
    void await() throws IOException {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    task.get();
                    return;
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    switch (e.getCause()) {
                        case IOException io -> throw io;
                        case Error error -> throw error;
                        case RuntimeException r -> throw r;
                        case null, default -> throw new IllegalStateException(e);
                    }
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Waits as the other, for who already fails: what the work threw goes along. */
    void await(Throwable failure) {
        try {
            await();
        } catch (IOException | RuntimeException | Error other) {
            failure.addSuppressed(other);
        }
    }

    /** Waits whatever comes, for who has no use for the work any more. */
    void end() {
        await(new IOException("given up"));
    }
}
