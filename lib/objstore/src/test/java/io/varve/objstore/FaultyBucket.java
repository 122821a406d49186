package io.varve.objstore;

import io.varve.model.CancelledException;
import io.varve.model.UnavailableException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * A bucket that counts, delays, fails, and cuts short, for tests of what follows a fault. Every operation gets a number, from 1 on, and goes
 * through the {@link Plan}. Safe for many threads.
 */
public final class FaultyBucket implements Bucket {
    /** One operation. */
    public record Event(long number, BucketOperation operation, String key) {
    }

    /** What an operation comes to. */
    public sealed interface Fault {
        /** The operation works. */
        record None() implements Fault {
        }

        /** The operation does nothing and reports failure. */
        record Fail() implements Fault {
        }

        /** The operation takes effect, but its answer is lost. */
        record FailAfter() implements Fault {
        }

        /** The operation works after a while. */
        record Delay(long millis) implements Fault {
        }

        /** A read ends after that many bytes: a stream with an {@link IOException}, a range by being shorter. */
        record Truncate(int bytes) implements Fault {
        }

        /** The process ends here: this operation and every later one throws {@link Killed} and does nothing. */
        record Kill() implements Fault {
        }
    }

    /** Decides what each operation comes to. */
    @FunctionalInterface
    public interface Plan {
        /** For that operation. */
        Fault fault(Event event);
    }

    /** The simulated end of the process; an {@link Error}, so that no handler of ordinary failures goes on after it. */
    public static final class Killed extends Error {
        private static final long serialVersionUID = 1L;

        Killed(Event event) {
            super("killed at operation " + event.number + " (" + event.operation.label() + " " + event.key + ")");
        }
    }

    private static final Fault NONE = new Fault.None();

    private final Bucket bucket;
    private final AtomicLong numbers = new AtomicLong();
    private final List<Event> events = new CopyOnWriteArrayList<>();
    private volatile Plan plan;
    private volatile boolean killed;

    /** {@code bucket} under {@code plan}. */
    public FaultyBucket(Bucket bucket, Plan plan) {
        this.bucket = bucket;
        this.plan = plan;
    }

    /** {@code bucket}, only counted. */
    public static FaultyBucket counting(Bucket bucket) {
        return new FaultyBucket(bucket, event -> NONE);
    }

    /** {@code bucket}, with one fault at the {@code number}th operation. */
    public static FaultyBucket at(Bucket bucket, long number, Fault fault) {
        return new FaultyBucket(bucket, event -> event.number == number ? fault : NONE);
    }

    /** Replaces the plan, for operations from now on. */
    public void plan(Plan next) {
        plan = next;
    }

    /** How many operations there were. */
    public long operations() {
        return numbers.get();
    }

    /** All operations so far, in the order of their numbers where one thread made them. */
    public List<Event> events() {
        return List.copyOf(events);
    }

    /** How many operations of each kind there were. */
    public Map<BucketOperation, Long> counts() {
        Map<BucketOperation, Long> counts = new EnumMap<>(BucketOperation.class);
        events.forEach(event -> counts.merge(event.operation, 1L, Long::sum));
        return counts;
    }

    private Fault begin(BucketOperation operation, String key) {
        Event event = new Event(numbers.incrementAndGet(), operation, key);
        if (killed) {
            throw new Killed(event);
        }
        events.add(event);
        Fault fault = plan.fault(event);
        return switch (fault) {
            case Fault.None none -> none;
            case Fault.FailAfter after -> after;
            case Fault.Truncate truncate -> truncate;
            case Fault.Fail fail -> throw failure(event);
            case Fault.Kill kill -> {
                killed = true;
                throw new Killed(event);
            }
            case Fault.Delay delay -> {
                try {
                    Thread.sleep(delay.millis);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new CancelledException(CancelledException.Reason.CANCELED, operation.label() + " " + key + ": interrupted");
                }
                yield NONE;
            }
        };
    }

    private static UnavailableException failure(Event event) {
        return new UnavailableException("injected fault at operation " + event.number + ": " + event.operation.label() + " " + event.key);
    }

    private void end(BucketOperation operation, String key, Fault fault) {
        if (fault instanceof Fault.FailAfter) {
            throw failure(new Event(numbers.get(), operation, key));
        }
    }

    @Override
    public InputStream open(String key) throws NoSuchObjectException {
        Fault fault = begin(BucketOperation.GET, key);
        InputStream in = bucket.open(key);
        end(BucketOperation.GET, key, fault);
        return new CutStream(in, key, fault instanceof Fault.Truncate cut ? cut.bytes : Long.MAX_VALUE);
    }

    @Override
    public byte[] readRange(String key, long offset, int length) throws NoSuchObjectException {
        Fault fault = begin(BucketOperation.GET_RANGE, key);
        byte[] bytes = bucket.readRange(key, offset, length);
        end(BucketOperation.GET_RANGE, key, fault);
        if (fault instanceof Fault.Truncate cut && cut.bytes < bytes.length) {
            bytes = Arrays.copyOf(bytes, cut.bytes);
        }
        return bytes;
    }

    @Override
    public Optional<ObjectAttributes> find(String key) {
        Fault fault = begin(BucketOperation.ATTRIBUTES, key);
        Optional<ObjectAttributes> found = bucket.find(key);
        end(BucketOperation.ATTRIBUTES, key, fault);
        return found;
    }

    @Override
    public void list(String prefix, Consumer<String> keys) {
        Fault fault = begin(BucketOperation.ITER, prefix);
        bucket.list(prefix, keys);
        end(BucketOperation.ITER, prefix, fault);
    }

    @Override
    public void listRecursive(String prefix, List<String> cuts, Consumer<ObjectAttributes> objects) {
        Fault fault = begin(BucketOperation.ITER, prefix);
        bucket.listRecursive(prefix, cuts, objects);
        end(BucketOperation.ITER, prefix, fault);
    }

    @Override
    public void upload(String key, ObjectBody body) {
        Fault fault = begin(BucketOperation.UPLOAD, key);
        bucket.upload(key, body);
        end(BucketOperation.UPLOAD, key, fault);
    }

    @Override
    public void delete(String key) {
        Fault fault = begin(BucketOperation.DELETE, key);
        bucket.delete(key);
        end(BucketOperation.DELETE, key, fault);
    }

    @Override
    public String name() {
        return bucket.name();
    }

    @Override
    public void close() {
        bucket.close();
    }

    private final class CutStream extends FilterInputStream {
        private final String key;
        private long left;

        CutStream(InputStream in, String key, long left) {
            super(in);
            this.key = key;
            this.left = left;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            int n = read(one, 0, 1);
            return n < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] b, int off, int len) throws IOException {
            if (left == 0 && len > 0) {
                throw new IOException("injected fault: connection closed while reading " + key);
            }
            int n = super.read(b, off, (int) Math.min(len, left));
            if (n > 0) {
                left -= n;
            }
            return n;
        }
    }
}
