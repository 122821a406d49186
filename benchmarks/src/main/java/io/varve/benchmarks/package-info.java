/**
 * Benchmarks with JMH. After {@code mvn -Dquick install -DskipTests} one class or method is run by
 * {@code mvn -q -pl benchmarks exec:exec -Djmh.args="ChunkBenchmark.xor"}; arguments are JMH's. What was measured and tried is told
 * in {@code docs/performance}. Machines differ: compare two ways in one run, never numbers of different days.
 */
@NullMarked
package io.varve.benchmarks;

import org.jspecify.annotations.NullMarked;
