package io.varve.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Sums whose layouts are the same, overlap or lie apart, bucket by bucket beside a map. */
class HistogramSumTest {
    /** A count and what its additions lost, by index. */
    private static final class Twin {
        private final Map<Integer, double[]> buckets = new TreeMap<>();

        void add(List<Span> spans, double[] counts, double sign) {
            int at = 0;
            int b = 0;
            for (Span span : spans) {
                at += span.offset();
                for (int i = 0; i < span.length(); i++) {
                    double inc = sign * counts[b++];
                    double[] sum = buckets.computeIfAbsent(at++, k -> new double[2]);
                    double t = sum[0] + inc;
                    sum[1] = Double.isInfinite(t)
                            ? 0
                            : sum[1] + (Math.abs(sum[0]) >= Math.abs(inc) ? sum[0] - t + inc : inc - t + sum[0]);
                    sum[0] = t;
                }
            }
        }

        void scale(double factor) {
            buckets.values().forEach(b -> {
                b[0] *= factor;
                b[1] *= factor;
            });
        }

        private static double total(double[] b) {
            return Double.isInfinite(b[0]) ? b[0] : b[0] + b[1];
        }

        double[] counts() {
            return buckets.values().stream().mapToDouble(Twin::total).filter(v -> v != 0).toArray();
        }

        List<Span> spans() {
            List<Span> out = new ArrayList<>();
            int end = 0;
            for (Map.Entry<Integer, double[]> e : buckets.entrySet()) {
                if (total(e.getValue()) == 0) {
                    continue;
                }
                int gap = e.getKey() - end;
                if (gap == 0 && !out.isEmpty()) {
                    out.set(out.size() - 1, new Span(out.getLast().offset(), out.getLast().length() + 1));
                } else {
                    out.add(new Span(gap, 1));
                }
                end = e.getKey() + 1;
            }
            return out;
        }
    }

    private static List<Span> spans(RandomGenerator r, boolean fromZero) {
        List<Span> out = new ArrayList<>();
        int n = r.nextInt(5);
        for (int i = 0; i < n; i++) {
            out.add(new Span(i == 0 && !fromZero ? r.nextInt(20) - 10 : r.nextInt(4), r.nextInt(6)));
        }
        return List.copyOf(out);
    }

    private static double[] counts(RandomGenerator r, List<Span> spans) {
        return r.doubles(spans.stream().mapToInt(Span::length).sum()).map(
                v -> v < 0.2 ? 0 : v < 0.25 ? Double.POSITIVE_INFINITY : v < 0.5 ? v * 1e17 : v < 0.8 ? Math.floor(v * 100) : v).toArray();
    }

    @Test
    void sumsAreThoseOfEachBucket() {
        Seeds.forEach(3000, r -> {
            boolean custom = r.nextInt(4) == 0;
            double[] bounds = custom ? r.doubles(60).sorted().toArray() : FloatHistogram.NO_BUCKETS;
            List<List<Span>> layouts = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                layouts.add(spans(r, custom));
            }
            Twin positive = new Twin();
            Twin negative = new Twin();
            HistogramSum sum = new HistogramSum();
            for (int i = 0; i < 12; i++) {
                List<Span> p = layouts.get(r.nextInt(layouts.size()));
                List<Span> n = custom ? List.of() : layouts.get(r.nextInt(layouts.size()));
                FloatHistogram h = new FloatHistogram(CounterResetHint.GAUGE, custom ? FloatHistogram.CUSTOM_BUCKETS_SCHEMA : 3,
                        custom ? 0 : 1e-128, 1, 2, 3, p, counts(r, p), n, counts(r, n), bounds.clone());
                double sign = i == 0 || r.nextBoolean() ? 1 : -1;
                if (i == 0) {
                    sum.set(h);
                } else {
                    assertThat(sign > 0 ? sum.add(h) : sum.subtract(h)).isTrue();
                }
                positive.add(p, h.positiveBuckets(), sign);
                negative.add(n, h.negativeBuckets(), sign);
                if (r.nextInt(5) == 0) {
                    double factor = r.nextDouble() * 4;
                    sum.scale(factor);
                    positive.scale(factor);
                    negative.scale(factor);
                }
                if (r.nextInt(5) == 0) {
                    HistogramSum copy = new HistogramSum();
                    copy.set(sum);
                    sum = copy;
                }
                FloatHistogram result = sum.result();
                String what = "after " + i + " of " + layouts;
                assertThat(result.positiveSpans()).as(what).isEqualTo(positive.spans());
                assertThat(result.negativeSpans()).as(what).isEqualTo(negative.spans());
                assertThat(Arrays.equals(result.positiveBuckets(), positive.counts())).as(what).isTrue();
                assertThat(Arrays.equals(result.negativeBuckets(), negative.counts())).as(what).isTrue();
            }
        });
    }

    @Test
    void aSumOfSumsIsThatOfTheirResults() {
        Seeds.forEach(2000, r -> {
            HistogramSum[] sums = new HistogramSum[3];
            for (int i = 0; i < sums.length; i++) {
                sums[i] = new HistogramSum(any(r));
                for (int k = r.nextInt(4); k > 0; k--) {
                    sums[i].add(any(r));
                }
            }
            FloatHistogram second = sums[1].result();
            HistogramSum copy = new HistogramSum();
            copy.set(sums[0]);
            assertThat(sums[0].add(sums[1])).isTrue();
            copy.add(second);
            assertThat(sums[1].result().sameAs(second)).isTrue();
            assertThat(sums[0].add(sums[2])).isTrue();
            copy.add(sums[2].result());
            assertThat(sums[0].result().sameAs(copy.result())).as("%s and %s", sums[0].result(), copy.result()).isTrue();
            assertThat(sums[0].result().hint()).isEqualTo(copy.result().hint());
            assertThat(sums[0].hintsCollide()).isEqualTo(copy.hintsCollide());
        });
    }

    private static FloatHistogram any(RandomGenerator r) {
        List<Span> p = spans(r, false);
        List<Span> n = spans(r, false);
        return new FloatHistogram(CounterResetHint.values()[r.nextInt(CounterResetHint.values().length)], r.nextInt(4) == 0 ? 2 : 3,
                r.nextInt(4) == 0 ? 0.25 : 1e-128, r.nextDouble() * 1e10, r.nextDouble() * 1e17, r.nextDouble() * 1e17, p, finite(r, p), n,
                finite(r, n), FloatHistogram.NO_BUCKETS);
    }

    private static double[] finite(RandomGenerator r, List<Span> spans) {
        return Arrays.stream(counts(r, spans)).map(v -> Math.min(v, 1e18)).toArray();
    }

    @Test
    void spansThatOverlapOrLeaveTheRangeOfIndexesAreNotInOrder() {
        assertThat(Span.areInOrder(List.of())).isTrue();
        assertThat(Span.areInOrder(List.of(new Span(-5, 3), new Span(0, 2), new Span(4, 0)))).isTrue();
        assertThat(Span.areInOrder(List.of(new Span(-5, 3), new Span(-1, 2)))).isFalse();
        assertThat(Span.areInOrder(List.of(new Span(Integer.MAX_VALUE - 1, 1), new Span(0, 1)))).isFalse();
        assertThat(Span.areInOrder(List.of(new Span(Integer.MIN_VALUE, 5)))).isTrue();
    }

    @Test
    void aZeroBucketWithoutAWidthEndsNothing() {
        FloatHistogram h = new FloatHistogram(CounterResetHint.GAUGE, 0, Double.NaN, 1, 2, 3, List.of(new Span(0, 1)), new double[]{1},
                List.of(), FloatHistogram.NO_BUCKETS, FloatHistogram.NO_BUCKETS);
        FloatHistogram usual = new FloatHistogram(CounterResetHint.GAUGE, 0, 0.5, 1, 2, 3, List.of(new Span(0, 1)), new double[]{1},
                List.of(), FloatHistogram.NO_BUCKETS, FloatHistogram.NO_BUCKETS);
        for (FloatHistogram first : List.of(h, usual)) {
            for (FloatHistogram second : List.of(h, usual)) {
                HistogramSum sum = new HistogramSum(first);
                assertThat(sum.add(second)).isTrue();
                assertThat(sum.result().positiveBuckets()).containsExactly(2);
            }
        }
    }
}
