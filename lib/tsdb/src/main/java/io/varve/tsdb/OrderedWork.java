package io.varve.tsdb;

import io.varve.model.CancelledException;
import io.varve.model.MemoryBudget;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Work on a stream of items by several threads, the results in the order of the items. Each thread takes a batch of items off the source,
 * one thread at a time, works on it, and hands it in; a few batches for each thread may wait to be fetched, which bounds memory. A failure is thrown
 * when the result is asked for that it prevented. {@link #next} is for one thread, {@link #close} for any; the
 * source may be closed when close has returned.
 */
final class OrderedWork<I, O> implements AutoCloseable {
    /** A batch ends with this many bytes or items. */
    private static final long BATCH_BYTES = 256 << 10;
    private static final int BATCH_ITEMS = 256;
    private static final int BATCHES_PER_THREAD = 2;

    private final Supplier<@Nullable I> source;
    private final ToLongFunction<I> bytes;
    private final ToLongFunction<I> memory;
    private final MemoryBudget budget;
    private final @Nullable Function<I, O> inline;
    private final List<Thread> threads = new ArrayList<>();
    private final int capacity;
    private final Object sourceLock = new Object();
    /** Guards all below. */
    private final Object lock = new Object();
    private final Map<Long, Batch<O>> done = new HashMap<>();
    private long taken;
    private long fetched;
    private boolean exhausted;
    private boolean closed;
    private Batch<O> current = new Batch<>(new ArrayDeque<>(), 0, null);
    /** Reserved for the item that the asking thread works on itself. */
    private long inlineReserved;

    private record Batch<O>(ArrayDeque<O> results, long reserved, @Nullable Throwable failure) {
    }

    /**
     * @param source gives null at the end, and is not asked again
     * @param bytes an item's size: batches end by it
     * @param memory about how much memory an item and the work on it take, reserved from the budget until its results have been fetched
     * @param budget where from
     * @param worker makes the function of each thread
     * @param concurrency how many threads; with 0 the one that asks does all
     */
    OrderedWork(Supplier<@Nullable I> source, ToLongFunction<I> bytes, ToLongFunction<I> memory, MemoryBudget budget,
            Supplier<Function<I, O>> worker, int concurrency) {
        this.source = source;
        this.bytes = bytes;
        this.memory = memory;
        this.budget = budget;
        this.capacity = concurrency * (1 + BATCHES_PER_THREAD);
        if (concurrency == 0) {
            inline = worker.get();
            return;
        }
        inline = null;
        for (int i = 0; i < concurrency; i++) {
            Function<I, O> work = worker.get();
            // Decoding and encoding: platform threads, so that requests on virtual ones are not held up.
            threads.add(Thread.ofPlatform().name(Thread.currentThread().getName() + "-" + i).daemon().start(() -> run(work)));
        }
    }

    /** The result of the next item, null after the last. */
    @Nullable
    O next() {
        Function<I, O> direct = inline;
        if (direct != null) {
            budget.release(inlineReserved);
            inlineReserved = 0;
            I item = source.get();
            if (item == null) {
                return null;
            }
            inlineReserved = reserve(List.of(item));
            return direct.apply(item);
        }
        while (current.results.isEmpty()) {
            Throwable failure = current.failure;
            if (failure != null) {
                throw failed(failure);
            }
            Batch<O> batch = fetch();
            if (batch == null) {
                return null;
            }
            budget.release(current.reserved);
            current = batch;
        }
        return current.results.poll();
    }

    private long reserve(List<I> items) {
        if (budget == MemoryBudget.UNLIMITED) {
            return 0;
        }
        long sum = 0;
        for (I item : items) {
            sum += memory.applyAsLong(item);
        }
        budget.reserve(sum, "series being merged or downsampled");
        return sum;
    }

    private static RuntimeException failed(Throwable failure) {
        return switch (failure) {
            case RuntimeException e -> e;
            case Error e -> throw e;
            default -> new IllegalStateException(failure);
        };
    }

    private @Nullable Batch<O> fetch() {
        synchronized (lock) {
            while (true) {
                Batch<O> batch = done.remove(fetched);
                if (batch != null) {
                    fetched++;
                    lock.notifyAll();
                    return batch;
                }
                if (closed || exhausted && fetched == taken) {
                    return null;
                }
                await();
            }
        }
    }

    /** Waits for a change; the lock is held. */
    private void await() {
        try {
            lock.wait();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException(CancelledException.Reason.CANCELED, "interrupted while series were worked on");
        }
    }

    private void run(Function<I, O> work) {
        List<I> items = new ArrayList<>();
        while (true) {
            items.clear();
            Throwable failure = null;
            long number;
            synchronized (sourceLock) {
                synchronized (lock) {
                    while (!closed && !exhausted && taken - fetched >= capacity) {
                        await();
                    }
                    if (closed || exhausted) {
                        return;
                    }
                    number = taken++;
                }
                boolean last = false;
                try {
                    last = !take(items);
                } catch (RuntimeException | Error e) {
                    failure = e;
                }
                if (last || failure != null) {
                    synchronized (lock) {
                        exhausted = true;
                    }
                }
            }
            ArrayDeque<O> results = new ArrayDeque<>(items.size() + 1);
            long reserved = 0;
            try {
                reserved = reserve(items);
                for (I item : items) {
                    results.add(work.apply(item));
                }
            } catch (RuntimeException | Error e) {
                // Of items worked on and items not to be had, the former come first.
                failure = e;
            }
            synchronized (lock) {
                done.put(number, new Batch<>(results, reserved, failure));
                exhausted |= failure != null;
                lock.notifyAll();
            }
        }
    }

    /** Fills a batch; false where the source is at its end. */
    private boolean take(List<I> items) {
        long size = 0;
        while (size < BATCH_BYTES && items.size() < BATCH_ITEMS) {
            I item = source.get();
            if (item == null) {
                return false;
            }
            items.add(item);
            size += bytes.applyAsLong(item);
        }
        return true;
    }

    /** Ends the work; returns when no thread is at it any more. */
    @Override
    public void close() {
        synchronized (lock) {
            closed = true;
            lock.notifyAll();
        }
        boolean interrupted = false;
        for (Thread t : threads) {
            while (t.isAlive()) {
                try {
                    t.join();
                } catch (InterruptedException e) {
                    // A batch is short: the threads must not read what is about to be unmapped.
                    interrupted = true;
                }
            }
        }
        budget.release(inlineReserved + current.reserved + done.values().stream().mapToLong(Batch::reserved).sum());
        inlineReserved = 0;
        current = new Batch<>(new ArrayDeque<>(), 0, null);
        done.clear();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
