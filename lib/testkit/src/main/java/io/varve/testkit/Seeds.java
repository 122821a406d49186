package io.varve.testkit;

import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * Random test cases that replay. Each case gets a generator of its own seed; when a case fails, the failure names that seed, and
 * {@code -Dvarve.seed=<seed>} runs this one case again. {@code -Dvarve.seed=random} looks for new cases instead of the same ones
 * every time; {@code -Dvarve.seeds.factor=100} runs a hundred times as many.
 */
public final class Seeds {
    private Seeds() {
    }

    /** One random case; anything thrown is a failure. */
    @FunctionalInterface
    public interface Case {
        /** Runs with numbers from {@code random} alone. */
        void run(RandomGenerator random) throws Exception;
    }

    /** Runs {@code cases} cases, or the one of {@code -Dvarve.seed}. */
    public static void forEach(int cases, Case body) {
        String wanted = System.getProperty("varve.seed", "");
        if (!wanted.isEmpty() && !wanted.equals("random")) {
            runOne(Long.parseLong(wanted), body);
            return;
        }
        long base = wanted.isEmpty() ? 1 : System.nanoTime();
        int n = Math.multiplyExact(cases, Integer.getInteger("varve.seeds.factor", 1));
        for (int i = 0; i < n; i++) {
            runOne(base + i * 0x9E3779B97F4A7C15L, body);
        }
    }

    /** Runs cases until {@code millis} have passed, at least one. */
    public static void forMillis(long millis, Case body) {
        long end = System.nanoTime() + millis * 1_000_000;
        String wanted = System.getProperty("varve.seed", "");
        if (!wanted.isEmpty() && !wanted.equals("random")) {
            runOne(Long.parseLong(wanted), body);
            return;
        }
        long seed = wanted.isEmpty() ? 1 : System.nanoTime();
        do {
            runOne(seed, body);
            seed += 0x9E3779B97F4A7C15L;
        } while (System.nanoTime() < end);
    }

    /**
     * The generator of a seed. Split off, because seeds that lie a step of the generator apart, as those of {@link #forEach} do, would give one
     * and the same stream, each a number further.
     */
    public static RandomGenerator random(long seed) {
        return new SplittableRandom(seed).split();
    }

    private static void runOne(long seed, Case body) {
        try {
            body.run(random(seed));
        } catch (Throwable e) {
            throw new AssertionError("random case failed, replay with -Dvarve.seed=" + seed + ": " + e, e);
        }
    }
}
