package io.varve.promql;

/**
 * What a query cost, counted as Prometheus does (the {@code stats} of its HTTP API).
 *
 * @param totalSamples samples seen by all steps: one in two windows counts twice
 * @param samplesRead samples read: one in two windows counts once, what an instant selector finds at each step
 * @param peakSamples most samples held at once
 * @param stepMillis times of the steps, empty unless counts per step were wanted
 * @param totalSamplesPerStep beside {@code stepMillis}
 * @param samplesReadPerStep beside {@code stepMillis}
 * @param preparationNanos planning and opening selects
 * @param evaluationNanos evaluating
 * @param sortNanos sorting the result
 */
public record QueryStats(long totalSamples, long samplesRead, long peakSamples, long[] stepMillis, long[] totalSamplesPerStep,
        long[] samplesReadPerStep, long preparationNanos, long evaluationNanos, long sortNanos) {
}
