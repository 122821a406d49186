package io.varve.promql.test;

import io.varve.model.Labels;
import java.util.List;

/**
 * A line that describes a series.
 *
 * @param line of the script, from 1
 * @param labels of the series
 * @param startTimes whether the values are offsets of start timestamps in milliseconds and not samples
 * @param values in order of time
 */
record SeriesLine(int line, Labels labels, boolean startTimes, List<Value> values) {
}
