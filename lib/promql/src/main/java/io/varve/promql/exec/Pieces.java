package io.varve.promql.exec;

import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Numbered pieces of work that do not depend on each other, done by the thread that pulls and by those of the query's workers that are
 * free; no thread is waited for that has not begun.
 */
final class Pieces {
    private final QueryRun run;
    private final int count;
    private final AtomicInteger next = new AtomicInteger();
    private int working;
    private boolean over;
    private @Nullable Throwable failure;

    private Pieces(QueryRun run, int count) {
        this.run = run;
        this.count = count;
    }

    /**
     * Does all pieces.
     *
     * @param hands what does a piece, one for each thread that takes part
     */
    static void work(QueryRun run, int count, Supplier<IntConsumer> hands) {
        Pieces p = new Pieces(run, count);
        Executor workers = run.workers;
        int others = workers == null ? 0 : Math.min(run.options.threads(), count) - 1;
        for (int i = 0; i < others && workers != null; i++) {
            try {
                workers.execute(() -> p.help(hands));
            } catch (RejectedExecutionException e) {
                // The pool is full or closing: this thread does them.
                break;
            }
        }
        try {
            p.loop(hands.get());
        } finally {
            p.await();
        }
        if (p.failure != null) {
            throw Leaf.rethrow(p.failure);
        }
    }

    private void help(Supplier<IntConsumer> hands) {
        synchronized (this) {
            if (over) {
                return;
            }
            working++;
        }
        try {
            loop(hands.get());
        } catch (Throwable t) {
            synchronized (this) {
                failure = t;
            }
        } finally {
            synchronized (this) {
                working--;
                notifyAll();
            }
        }
    }

    private void loop(IntConsumer hand) {
        for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
            run.context.check();
            hand.accept(i);
        }
    }

    private synchronized void await() {
        over = true;
        next.set(count);
        boolean interrupted = false;
        while (working > 0) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
