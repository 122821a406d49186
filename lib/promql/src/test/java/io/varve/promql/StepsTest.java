package io.varve.promql;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.FloatHistogram;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.QueryContext;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What slides from step to step, is shared or is put together of parts: at each step it is what the query gives at that instant alone. */
class StepsTest {
    private static final int QUERIES = 250;

    @Test
    void everyStepIsWhatTheInstantGives() {
        compare(false);
    }

    @Test
    void soItIsWhereNamesAreDroppedLate() {
        compare(true);
    }

    private static void compare(boolean delayedNames) {
        EnumSet<Feature> features = EnumSet.of(Feature.EXPERIMENTAL_FUNCTIONS, Feature.EXTENDED_RANGE_SELECTORS,
                Feature.BINOP_FILL_MODIFIERS);
        if (delayedNames) {
            features.add(Feature.DELAYED_NAME_REMOVAL);
        }
        int answered = 0;
        try (Engine engine = new Engine(EngineOptions.DEFAULT.withThreads(2).withFeatures(features))) {
            for (int seed = 0; seed < QUERIES; seed++) {
                Random r = new Random(seed + (delayedNames ? 10_000 : 0));
                MemorySource source = MemorySource.random(seed % 11, 30 + r.nextInt(60));
                String query = new QueryTexts(r).vector(3);
                long start = MemorySource.START + r.nextInt(600_000);
                long step = 1000L * (1 + r.nextInt(90));
                answered += compare(engine, source, query, start, start + step * (1 + r.nextInt(12)), step, "seed " + seed + ": " + query);
            }
        }
        assertThat(answered).isGreaterThan(QUERIES / 2);
    }

    private static int compare(Engine engine, MemorySource source, String query, long start, long end, long step, String what) {
        Map<Labels, Map<Long, Object>> expected = new HashMap<>();
        String refused = null;
        for (long t = start; t <= end; t += step) {
            try (QueryResult result = engine.execute(QueryContext.unlimited(), source, QueryRequest.instant(query, t))) {
                for (QueryValue.Sample s : ((QueryValue.Vector) result.value()).samples()) {
                    FloatHistogram h = s.histogram();
                    expected.computeIfAbsent(s.labels(), l -> new TreeMap<>()).put(t, h == null ? s.value() : h);
                }
            } catch (InvalidRequestException e) {
                refused = e.getMessage();
            }
        }
        Map<Labels, Map<Long, Object>> got = new HashMap<>();
        try (QueryResult result = engine.execute(QueryContext.unlimited(), source, QueryRequest.range(query, start, end, step))) {
            for (QueryValue.Row row : ((QueryValue.Matrix) result.value()).rows()) {
                Map<Long, Object> points = got.computeIfAbsent(row.labels(), l -> new TreeMap<>());
                for (int i = 0; i < row.floats().length; i++) {
                    points.put(row.floatTimes()[i], row.floats()[i]);
                }
                for (int i = 0; i < row.histograms().length; i++) {
                    points.put(row.histogramTimes()[i], row.histograms()[i]);
                }
            }
        } catch (InvalidRequestException e) {
            // Series that are equal without their names are refused as a whole, be it at different steps.
            assertThat(refused != null || e.getMessage().contains("same labelset")).as(what + ": " + e.getMessage()).isTrue();
            return 0;
        }
        assertThat(refused).as(what).isNull();
        assertThat(got.keySet()).as(what).isEqualTo(expected.keySet());
        got.forEach((labels, points) -> {
            Map<Long, Object> other = expected.getOrDefault(labels, Map.of());
            assertThat(points.keySet()).as(what + " " + labels).isEqualTo(other.keySet());
            points.forEach((t, v) -> assertThat(same(v, other.get(t))).as("%s %s at %d: %s, expected %s", what, labels, t, v, other.get(t))
                    .isTrue());
        });
        return 1;
    }

    private static boolean same(Object a, Object b) {
        if (a instanceof Double x) {
            return b instanceof Double y && close(x, y);
        }
        if (!(a instanceof FloatHistogram g) || !(b instanceof FloatHistogram h)) {
            return false;
        }
        FloatHistogram x = g.compact();
        FloatHistogram y = h.compact();
        boolean same = x.schema() == y.schema() && x.hint() == y.hint() && close(x.count(), y.count()) && close(x.sum(), y.sum())
                && close(x.zeroCount(), y.zeroCount()) && x.positiveBuckets().length == y.positiveBuckets().length;
        for (int i = 0; same && i < x.positiveBuckets().length; i++) {
            same = close(x.positiveBuckets()[i], y.positiveBuckets()[i]);
        }
        return same;
    }

    private static boolean close(double a, double b) {
        return a == b || Double.isNaN(a) && Double.isNaN(b) || Math.abs(a - b) <= 1e-6 * Math.max(1, Math.max(Math.abs(a), Math.abs(b)));
    }
}
