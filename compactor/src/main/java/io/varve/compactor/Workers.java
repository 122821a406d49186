package io.varve.compactor;

import io.varve.model.CancelledException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;

/** Tasks done by a few threads. */
final class Workers {
    private Workers() {
    }

    /**
     * Does all tasks with {@code concurrency} threads. After a failure no task is begun any more; those that run are finished, and the first
     * failure is thrown with the others attached.
     */
    static <T> void each(int concurrency, String name, List<T> tasks, Consumer<T> work) {
        Iterator<T> queue = tasks.iterator();
        List<Throwable> failures = new ArrayList<>();
        Object lock = new Object();
        Runnable worker = () -> {
            while (true) {
                T task;
                synchronized (lock) {
                    if (!queue.hasNext() || !failures.isEmpty()) {
                        return;
                    }
                    task = queue.next();
                }
                try {
                    work.accept(task);
                } catch (Throwable e) {
                    synchronized (lock) {
                        failures.add(e);
                    }
                    return;
                }
            }
        };
        if (concurrency <= 1 || tasks.size() <= 1) {
            worker.run();
        } else {
            // Work here is decoding and encoding: platform threads, so that it does not hold up virtual ones that serve requests.
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < Math.min(concurrency, tasks.size()); i++) {
                threads.add(Thread.ofPlatform().name(name + "-" + i).start(worker));
            }
            boolean interrupted = false;
            for (Thread thread : threads) {
                while (true) {
                    try {
                        thread.join();
                        break;
                    } catch (InterruptedException e) {
                        interrupted = true;
                        threads.forEach(Thread::interrupt);
                    }
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
                throw new CancelledException(CancelledException.Reason.CANCELED, name + ": interrupted");
            }
        }
        if (!failures.isEmpty()) {
            Throwable first = failures.getFirst();
            failures.stream().skip(1).filter(e -> e != first).forEach(first::addSuppressed);
            switch (first) {
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                default -> throw new IllegalStateException(first);
            }
        }
    }
}
