package io.varve.benchmarks;

import io.varve.model.LabelRegex;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** A label matcher over 100,000 values, nanoseconds per value; {@code literal} compares every value with a string of its length, to compare with. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
@State(Scope.Thread)
public class RegexBenchmark {
    private static final int VALUES = 100_000;

    /** The expression. */
    @Param({"api-77-prod-b", "get|post|put|delete", "api-.*", ".*-prod-b", ".*timeout.*", "api-.+-b", ".+", "(?i:API-1.*)", "(api|web)-1.*",
            "5..", "api-[0-9]+-(prod|dev)-.+", "(a|b|c).*[0-9]{2}$|x.*y"})
    public String pattern = "";

    private final String[] values = new String[VALUES];
    private LabelRegex regex = LabelRegex.NONE;
    /** By length, a text that differs from values of that length in its last characters only, if at all. */
    private final String[] byLength = new String[64];

    /** Makes the values. */
    @Setup
    public void setup() {
        SplittableRandom random = new SplittableRandom(1);
        String[] kinds = {"api-%d-prod-%s", "web-%d-dev-%s", "%d", "db-%d-timeout-%s", "checkout-service-%d-canary-%s",
                "api-%d-staging-%s"};
        for (int i = 0; i < VALUES; i++) {
            values[i] = String.format(kinds[random.nextInt(kinds.length)], random.nextInt(1000), (char) ('a' + random.nextInt(4)));
        }
        // Values of an index lie side by side, without the garbage of their making between them.
        System.gc();
        regex = LabelRegex.compile(pattern);
        for (int n = 0; n < byLength.length; n++) {
            byLength[n] = "#".repeat(n);
        }
        for (String v : values) {
            byLength[v.length()] = v.substring(0, v.length() - 1) + "#";
        }
    }

    /** Matches every value. */
    @Benchmark
    @OperationsPerInvocation(VALUES)
    public int regex() {
        int n = 0;
        for (String v : values) {
            n += regex.matches(v) ? 1 : 0;
        }
        return n;
    }

    /** Every value compared with a text of its own length, so that no comparison ends at the length: what a matcher is measured by. */
    @Benchmark
    @OperationsPerInvocation(VALUES)
    public int literal() {
        int n = 0;
        for (String v : values) {
            n += byLength[v.length()].equals(v) ? 1 : 0;
        }
        return n;
    }

    /** The same with a look at the start. */
    @Benchmark
    @OperationsPerInvocation(VALUES)
    public int startsWith() {
        int n = 0;
        for (String v : values) {
            n += v.startsWith("api-") ? 1 : 0;
        }
        return n;
    }

    /** The same with a search for text in the middle. */
    @Benchmark
    @OperationsPerInvocation(VALUES)
    public int contains() {
        int n = 0;
        for (String v : values) {
            n += v.contains("timeout") ? 1 : 0;
        }
        return n;
    }
}
