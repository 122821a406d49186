package io.varve.promql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.CancelledException;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.SeriesSource;
import io.varve.model.UnavailableException;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Every operator under a budget one byte short, a source that fails, a cancelled query: nothing stays reserved or open. */
class TortureTest {
    private static final List<String> QUERIES = List.of("requests_total", "rate(requests_total[2m])", "sum(rate(requests_total[2m]))",
            "avg by (job) (temperature)", "sum by (job) (latency)", "avg(rate(latency[2m]))", "min(temperature)",
            "stddev by (job) (temperature)",
            "topk(2, temperature)", "bottomk by (job) (1, temperature)", "quantile(0.5, temperature)", "count_values(\"v\", round(limit))",
            "limitk(2, temperature)", "limit_ratio(0.5, temperature)", "requests_total / ignoring (x) temperature",
            "temperature * on (job) group_left () limit", "limit + on (job) group_right () temperature", "temperature and requests_total",
            "temperature or limit", "temperature unless on (job) limit", "temperature > 0", "2 * temperature", "-temperature",
            "histogram_quantile(0.9, rate(wait_bucket[2m]))", "histogram_quantile(0.9, latency)",
            "histogram_quantiles(latency, \"q\", 0.1, 0.9)", "histogram_fraction(0, 1, latency)", "histogram_count(sum(latency))",
            "max_over_time(rate(requests_total[1m])[5m:30s])", "quantile_over_time(0.5, temperature[3m])",
            "sum_over_time(temperature[10m])",
            "stddev_over_time(temperature[10m])", "label_replace(temperature, \"a\", \"$1\", \"job\", \"(.*)\")", "sort(temperature)",
            "sort_by_label(temperature, \"job\")", "absent(nothing)", "absent_over_time(temperature[1m])", "scalar(limit{job=\"api\"})",
            "vector(time())", "clamp(temperature, scalar(limit{job=\"api\"}), 5)", "timestamp(temperature)", "temperature @ 1700000300",
            "sum(requests_total) / sum(requests_total)", "info(temperature)", "predict_linear(temperature[3m], 60)",
            "double_exponential_smoothing(temperature[3m], 0.5, 0.5)", "mad_over_time(temperature[3m])", "count_over_time(latency[3m])",
            "requests_total + on (job, instance) fill (0) temperature{job=\"api\"}", "rate(requests_total[1m] smoothed)",
            "{__name__=~\"requests_total|temperature\"} > 10 or limit");

    private static Engine engine(int threads) {
        return new Engine(EngineOptions.DEFAULT.withFeatures(EnumSet.allOf(Feature.class)).withThreads(threads));
    }

    private static QueryRequest request(String query) {
        return QueryRequest.range(query, MemorySource.START, MemorySource.START + 600_000, 15_000);
    }

    @Test
    void aBudgetOneByteShortIsRefusedAndGivenBack() {
        MemorySource source = MemorySource.random(1, 60);
        try (Engine engine = engine(1)) {
            for (String query : QUERIES) {
                MeasuredBudget measured = new MeasuredBudget();
                engine.execute(new QueryContext(0, measured), source, request(query)).close();
                assertThat(measured.reserved()).as(query).isZero();
                assertThat(measured.peak()).as(query).isPositive();
                MeasuredBudget shorter = new MeasuredBudget(measured.peak() - 1, 0);
                assertThatThrownBy(() -> engine.execute(new QueryContext(0, shorter), source, request(query))).as(query)
                        .isInstanceOf(LimitExceededException.class);
                assertThat(shorter.reserved()).as(query).isZero();
                assertThat(source.open).as(query).isZero();
            }
        }
    }

    /** What is reserved at most for so many series, 60 samples each. */
    private static long peak(Engine engine, String query, int series) {
        MemorySource source = new MemorySource();
        for (int s = 0; s < series; s++) {
            SampleBuffer b = new SampleBuffer(60);
            for (int i = 0; i < 60; i++) {
                b.add(MemorySource.START + i * MemorySource.INTERVAL, s * 7 % 13 + i);
            }
            source.put(b, "__name__", "m_total", "g", "g" + s % 3, "s", String.format("%05d", s));
        }
        MeasuredBudget measured = new MeasuredBudget();
        engine.execute(new QueryContext(0, measured), source, request(query)).close();
        return measured.peak();
    }

    @Test
    void aggregationsHoldGroupsAndNotSeries() {
        try (Engine engine = engine(1)) {
            for (String query : List.of("sum(m_total)", "sum by (g) (rate(m_total[2m]))", "avg(m_total)", "min by (g) (m_total)",
                    "count(m_total)",
                    "group(m_total)", "stddev(rate(m_total[2m]))", "sum(max_over_time(m_total[5m]))",
                    "sum by (g) (-m_total * 2)", "limitk(2, m_total)")) {
                long few = peak(engine, query, 600);
                assertThat(peak(engine, query, 6000)).as(query).isLessThan(few + few / 10);
            }
        }
    }

    @Test
    void aRefusalAnywhereLeavesNothingReserved() {
        MemorySource source = MemorySource.random(2, 40);
        try (Engine engine = engine(2)) {
            for (String query : QUERIES) {
                for (int n = 1; n < 200; n = n * 2 + 1) {
                    MeasuredBudget budget = new MeasuredBudget(Long.MAX_VALUE, n);
                    try (QueryResult r = engine.execute(new QueryContext(0, budget), source, request(query))) {
                        assertThat(r.value()).isNotNull();
                    } catch (LimitExceededException e) {
                        assertThat(e.limit()).isEqualTo("query.memory");
                    }
                    assertThat(budget.reserved()).as(query + " refused at " + n).isZero();
                    assertThat(source.open).as(query).isZero();
                }
            }
        }
    }

    @Test
    void aSourceThatFailsEndsTheQueryAndLeavesNothingOpen() {
        MemorySource source = MemorySource.random(3, 40);
        try (Engine engine = engine(2)) {
            for (String query : QUERIES) {
                for (int n = 0; n < 20; n += 3) {
                    source.failAfter = n;
                    MeasuredBudget budget = new MeasuredBudget();
                    try (QueryResult r = engine.execute(new QueryContext(0, budget), source, request(query))) {
                        assertThat(r.value()).isNotNull();
                    } catch (UnavailableException e) {
                        assertThat(e).hasMessage("the source failed");
                    }
                    source.failAfter = -1;
                    assertThat(budget.reserved()).as(query).isZero();
                    assertThat(source.open).as(query).isZero();
                }
            }
        }
    }

    @Test
    void aCancelledQueryEnds() {
        MemorySource source = MemorySource.random(4, 40);
        try (Engine engine = engine(2)) {
            for (String query : QUERIES) {
                MeasuredBudget budget = new MeasuredBudget();
                QueryContext context = new QueryContext(0, budget);
                context.cancel(new CancelledException(CancelledException.Reason.CANCELED, "query was canceled in expression evaluation"));
                assertThatThrownBy(() -> engine.execute(context, source, request(query))).isInstanceOf(CancelledException.class);
                assertThat(budget.reserved()).as(query).isZero();
            }
        }
    }

    /** One series that says how far it was read, and may end its query while it is. */
    private static SeriesSource longSeries(AtomicInteger read, int cancelAt) {
        return (context, hints, matchers) -> SeriesSet.of(List.of(new Series() {
            @Override
            public Labels labels() {
                return Labels.of("__name__", "m");
            }

            @Override
            public void read(SampleBuffer into) {
                for (int i = 0; i < 1_000_000; i++) {
                    into.add(MemorySource.START + i, i);
                    if (read.incrementAndGet() == cancelAt) {
                        context.cancel(new CancelledException(CancelledException.Reason.CANCELED, "enough"));
                    }
                }
            }

            @Override
            public long encodedBytes() {
                return 16;
            }
        }).iterator());
    }

    @Test
    void aLongSeriesIsNotReadToItsEndOnceTheQueryIsOver() {
        AtomicInteger read = new AtomicInteger();
        MeasuredBudget budget = new MeasuredBudget();
        try (Engine engine = engine(1)) {
            assertThatThrownBy(() -> engine.execute(new QueryContext(0, budget), longSeries(read, 10_000), request("rate(m[5m])")))
                    .isInstanceOf(CancelledException.class);
        }
        assertThat(read.get()).isBetween(10_000, 20_000);
        assertThat(budget.reserved()).isZero();
    }

    @Test
    void roomForALongSeriesIsReservedBeforeItIsTaken() {
        AtomicInteger read = new AtomicInteger();
        MeasuredBudget budget = new MeasuredBudget(1 << 20, 0);
        try (Engine engine = engine(1)) {
            assertThatThrownBy(() -> engine.execute(new QueryContext(0, budget), longSeries(read, 0), request("rate(m[5m])")))
                    .isInstanceOf(LimitExceededException.class);
        }
        assertThat(read.get()).isLessThan(100_000);
        assertThat(budget.reserved()).isZero();
    }

    @Test
    void closingAResultTwiceIsHarmless() {
        MemorySource source = MemorySource.random(5, 40);
        try (Engine engine = engine(1)) {
            MeasuredBudget budget = new MeasuredBudget();
            QueryResult r = engine.execute(new QueryContext(0, budget), source, request("temperature"));
            assertThat(budget.reserved()).isPositive();
            r.close();
            r.close();
            assertThat(budget.reserved()).isZero();
        }
    }

    @Test
    void answersDoNotDependOnTheNumberOfThreads() {
        MemorySource source = MemorySource.random(6, 80);
        try (Engine one = engine(1); Engine four = engine(4)) {
            for (String query : QUERIES) {
                try (QueryResult a = one.execute(QueryContext.unlimited(), source, request(query));
                        QueryResult b = four.execute(QueryContext.unlimited(), source, request(query))) {
                    assertThat(text(b.value())).as(query).isEqualTo(text(a.value()));
                    assertThat(b.warnings()).isEqualTo(a.warnings());
                    assertThat(b.infos()).isEqualTo(a.infos());
                    assertThat(b.stats().totalSamples()).isEqualTo(a.stats().totalSamples());
                }
            }
        }
    }

    static String text(QueryValue v) {
        StringBuilder sb = new StringBuilder();
        if (v instanceof QueryValue.Matrix m) {
            for (QueryValue.Row r : m.rows()) {
                sb.append(r.labels());
                for (double d : r.floats()) {
                    sb.append(' ').append(Long.toHexString(Double.doubleToRawLongBits(d)));
                }
                for (var h : r.histograms()) {
                    sb.append(' ').append(h);
                }
                sb.append('\n');
            }
        }
        return sb.toString();
    }
}
