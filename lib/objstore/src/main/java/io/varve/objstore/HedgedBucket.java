package io.varve.objstore;

import io.varve.model.CancelledException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Range reads that are asked again when the first answer takes longer than most did: whichever comes first wins, the others are
 * interrupted. Cuts the slowest answers off at the price of a few more requests; never changes a result.
 */
final class HedgedBucket implements Bucket {
    /** Recent durations to take the quantile of. */
    private static final int WINDOW = 512;
    /** Fewer than this say nothing about what is slow. */
    private static final int ENOUGH = 32;

    private record Answer(byte @Nullable [] bytes, @Nullable Throwable failure) {
    }

    private final Bucket bucket;
    private final int upTo;
    private final double quantile;
    private final ExecutorService threads = Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("hedged-read-", 0).factory());
    private final long[] recentNanos = new long[WINDOW];
    private int recent;
    private long delayNanos = Long.MAX_VALUE;

    /** At most {@code upTo} requests for one read, each after the {@code quantile} of recent durations. */
    HedgedBucket(Bucket bucket, int upTo, double quantile) {
        this.bucket = bucket;
        this.upTo = upTo;
        this.quantile = quantile;
    }

    @Override
    public byte[] readRange(String key, long offset, int length) throws NoSuchObjectException {
        long delay = delayNanos();
        if (delay == Long.MAX_VALUE || upTo < 2) {
            long start = System.nanoTime();
            byte[] bytes = bucket.readRange(key, offset, length);
            record(System.nanoTime() - start);
            return bytes;
        }
        BlockingQueue<Answer> answers = new LinkedBlockingQueue<>();
        List<Future<?>> requests = new ArrayList<>();
        try {
            int answered = 0;
            Throwable failure = new IllegalStateException("no answer");
            while (true) {
                if (requests.size() < upTo) {
                    requests.add(threads.submit(() -> read(key, offset, length, answers)));
                }
                Answer answer = requests.size() < upTo ? answers.poll(delay, TimeUnit.NANOSECONDS) : answers.take();
                if (answer == null) {
                    continue;
                }
                if (answer.bytes != null) {
                    return answer.bytes;
                }
                failure = answer.failure == null ? failure : answer.failure;
                // A failure was retried below already: it is the answer once every request sent so far has ended.
                if (++answered == requests.size()) {
                    throw failure(failure);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException(CancelledException.Reason.CANCELED, "read " + key + " in " + name() + ": interrupted");
        } finally {
            requests.forEach(request -> request.cancel(true));
        }
    }

    private static RuntimeException failure(Throwable failure) throws NoSuchObjectException {
        switch (failure) {
            case NoSuchObjectException absent -> throw absent;
            case RuntimeException e -> {
                return e;
            }
            case Error e -> throw e;
            default -> {
                return new IllegalStateException(failure);
            }
        }
    }

    private void read(String key, long offset, int length, BlockingQueue<Answer> answers) {
        long start = System.nanoTime();
        try {
            byte[] bytes = bucket.readRange(key, offset, length);
            record(System.nanoTime() - start);
            answers.add(new Answer(bytes, null));
        } catch (Throwable e) {
            answers.add(new Answer(null, e));
        }
    }

    private synchronized long delayNanos() {
        return delayNanos;
    }

    private synchronized void record(long nanos) {
        recentNanos[recent++ % WINDOW] = nanos;
        if (recent >= ENOUGH && recent % ENOUGH == 0) {
            long[] sorted = Arrays.copyOf(recentNanos, Math.min(recent, WINDOW));
            Arrays.sort(sorted);
            delayNanos = sorted[(int) Math.min(sorted.length - 1L, (long) (quantile * sorted.length))];
        }
        if (recent == Integer.MAX_VALUE / WINDOW * WINDOW) {
            recent = WINDOW;
        }
    }

    @Override
    public InputStream open(String key) throws NoSuchObjectException {
        return bucket.open(key);
    }

    @Override
    public Optional<ObjectAttributes> find(String key) {
        return bucket.find(key);
    }

    @Override
    public void list(String prefix, Consumer<String> keys) {
        bucket.list(prefix, keys);
    }

    @Override
    public void listRecursive(String prefix, List<String> cuts, Consumer<ObjectAttributes> objects) {
        bucket.listRecursive(prefix, cuts, objects);
    }

    @Override
    public void upload(String key, ObjectBody body) {
        bucket.upload(key, body);
    }

    @Override
    public void delete(String key) {
        bucket.delete(key);
    }

    @Override
    public String name() {
        return bucket.name();
    }

    @Override
    public void close() {
        threads.shutdownNow();
        bucket.close();
    }
}
