package io.varve.benchmarks;

import io.varve.tsdb.index.Postings;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** Algebra over stored lists. Ids are drawn at random, so that the branch predictor cannot learn which list is ahead. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
@State(Scope.Thread)
public class PostingsBenchmark {
    private static final int MILLION = 1_000_000;

    private byte[] million = new byte[0];
    private byte[] otherMillion = new byte[0];
    private byte[] thousand = new byte[0];
    private final List<byte[]> thousandLists = new ArrayList<>();

    private static byte[] list(int count, int step, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        ByteBuffer b = ByteBuffer.allocate(count * 4);
        int id = 0;
        for (int i = 0; i < count; i++) {
            id += 1 + random.nextInt(step);
            b.putInt(id);
        }
        return b.array();
    }

    /** Makes the lists. */
    @Setup
    public void setup() {
        million = list(MILLION, 3, 1);
        otherMillion = list(MILLION, 3, 2);
        thousand = list(1000, 3000, 3);
        for (int i = 0; i < 1000; i++) {
            thousandLists.add(list(1000, 3000, 10 + i));
        }
    }

    private static Postings raw(byte[] ids) {
        return Postings.ofBigEndian(ids, 0, ids.length / 4);
    }

    private static long drain(Postings p) {
        long sum = 0;
        for (long id = p.next(); id != Postings.NO_MORE; id = p.next()) {
            sum += id;
        }
        return sum;
    }

    /** Two lists of a million; the target is 5 ms. */
    @Benchmark
    public long intersect() {
        return drain(Postings.intersect(List.of(raw(million), raw(otherMillion))));
    }

    /** A thousand ids looked up in a million. */
    @Benchmark
    public long intersectSkewed() {
        return drain(Postings.intersect(List.of(raw(million), raw(thousand))));
    }

    /** What a regex over a label with a thousand values needs. */
    @Benchmark
    public long uniteThousand() {
        return drain(Postings.union(thousandLists.stream().map(PostingsBenchmark::raw).toList()));
    }

    /** A million without another million. */
    @Benchmark
    public long subtract() {
        return drain(Postings.subtract(raw(million), raw(otherMillion)));
    }
}
