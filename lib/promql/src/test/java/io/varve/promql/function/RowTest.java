package io.varve.promql.function;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class RowTest {
    /** Whether and where there is a span, step by step. */
    private static void check(Row row) {
        int steps = row.values.length;
        int from = 0;
        while (from < steps && !row.hasFloat(from)) {
            from++;
        }
        int to = from;
        while (to < steps && row.hasFloat(to)) {
            to++;
        }
        boolean span = row.histograms == null;
        int points = 0;
        for (int i = 0; i < steps; i++) {
            span &= row.hasFloat(i) == (i >= from && i < to);
            points += row.has(i) ? 1 : 0;
        }
        assertThat(row.isSpan()).isEqualTo(span);
        if (span) {
            assertThat(row.from()).isEqualTo(from);
            assertThat(row.to()).isEqualTo(to);
        }
        assertThat(row.points()).isEqualTo(points);
        assertThat(row.isEmpty()).isEqualTo(points == 0);
    }

    @Test
    void spansAreFoundAgainAfterEveryChange() {
        SplittableRandom random = new SplittableRandom(1);
        for (int round = 0; round < 2000; round++) {
            Row row = Row.empty(Labels.EMPTY, false, random.nextInt(8));
            check(row);
            for (int i = 0; i < 12 && row.values.length > 0; i++) {
                int step = random.nextInt(row.values.length);
                switch (random.nextInt(5)) {
                    case 0 -> row.clear(step);
                    case 1 -> row.setHistogram(step, FloatHistogram.STALE);
                    case 2 -> row = row.copy();
                    default -> {
                        if (row.histogram(step) == null) {
                            row.values[step] = random.nextInt(3) == 0 ? Double.NaN : i;
                            row.changed();
                        }
                    }
                }
                check(row);
            }
        }
    }

    @Test
    void whoeverKnowsASpanMaySayIt() {
        Row row = Row.empty(Labels.EMPTY, false, 5);
        row.values[1] = 1;
        row.values[2] = 2;
        row.span(1, 3);
        check(row);
        row.clear(1);
        check(row);
    }
}
