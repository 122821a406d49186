package io.varve.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class FloatHistogramTest {
    private static final double[] NONE = FloatHistogram.NO_BUCKETS;

    private static FloatHistogram exponential(int schema, double zeroThreshold, double zero, int offset, double... buckets) {
        double count = zero;
        for (double b : buckets) {
            count += b;
        }
        return new FloatHistogram(CounterResetHint.UNKNOWN, schema, zeroThreshold, zero, count, count * 2,
                List.of(new Span(offset, buckets.length)), buckets, List.of(), NONE, NONE);
    }

    private static FloatHistogram custom(double[] bounds, double... buckets) {
        double count = 0;
        for (double b : buckets) {
            count += b;
        }
        return new FloatHistogram(CounterResetHint.UNKNOWN, FloatHistogram.CUSTOM_BUCKETS_SCHEMA, 0, 0, count, count,
                List.of(new Span(0, buckets.length)), buckets, List.of(), NONE, bounds);
    }

    @Test
    void boundsAreThoseOfPrometheusToTheLastBit() {
        assertThat(ExponentialBounds.upper(-1, 1)).isEqualTo(0.7071067811865475);
        assertThat(ExponentialBounds.upper(-1, 3)).isEqualTo(0.9170040432046711);
        assertThat(ExponentialBounds.upper(-1, 7)).isEqualTo(0.9945994234836328);
        assertThat(ExponentialBounds.upper(-1, 8)).isEqualTo(0.9972960560854698);
        assertThat(ExponentialBounds.upper(-255, 8)).isEqualTo(0.5013556375251013);
        assertThat(ExponentialBounds.upper(3, 0)).isEqualTo(8);
        assertThat(ExponentialBounds.upper(2, -2)).isEqualTo(256);
        assertThat(ExponentialBounds.upper(1024, 0)).isEqualTo(Double.MAX_VALUE);
        assertThat(ExponentialBounds.upper(1 << 18, 8)).isEqualTo(Double.MAX_VALUE);
    }

    @Test
    void addingReducesToTheLowerResolution() {
        HistogramSum sum = new HistogramSum(exponential(0, 0, 0, 1, 4));
        assertThat(sum.add(exponential(1, 0, 0, 1, 1, 2))).isTrue();
        FloatHistogram h = sum.result();
        assertThat(h.schema()).isZero();
        assertThat(h.positiveSpans()).containsExactly(new Span(1, 1));
        assertThat(h.positiveBuckets()).containsExactly(7);
        assertThat(h.count()).isEqualTo(7);
    }

    @Test
    void aWiderZeroBucketTakesInWhatLiesInside() {
        HistogramSum sum = new HistogramSum(exponential(0, 1, 5, 2, 1));
        sum.add(exponential(0, 0.25, 1, -1, 2, 3, 4));
        FloatHistogram h = sum.result();
        assertThat(h.zeroThreshold()).isEqualTo(1);
        assertThat(h.zeroCount()).isEqualTo(5 + 1 + 2 + 3);
        assertThat(h.positiveSpans()).containsExactly(new Span(1, 2));
        assertThat(h.positiveBuckets()).containsExactly(4, 1);
    }

    @Test
    void customBoundsAreReconciledToThoseInCommon() {
        HistogramSum sum = new HistogramSum(custom(new double[]{1, 5, 10}, 1, 2, 3, 4));
        sum.add(custom(new double[]{5, 20}, 10, 20, 30));
        assertThat(sum.boundsReconciled()).isTrue();
        FloatHistogram h = sum.result();
        assertThat(h.customValues()).containsExactly(5);
        assertThat(h.positiveBuckets()).containsExactly(13, 57);
    }

    @Test
    void exponentialAndCustomBucketsDoNotMix() {
        HistogramSum sum = new HistogramSum(custom(new double[]{1}, 1, 2));
        FloatHistogram before = sum.result();
        assertThat(sum.add(exponential(0, 0, 0, 0, 1))).isFalse();
        assertThat(sum.result().sameAs(before)).isTrue();
    }

    @Test
    void hintsCombineAndCollide() {
        FloatHistogram h = exponential(0, 0, 0, 0, 1);
        HistogramSum sum = new HistogramSum(h.withHint(CounterResetHint.RESET));
        sum.add(h.withHint(CounterResetHint.NOT_RESET));
        assertThat(sum.hintsCollide()).isTrue();
        assertThat(sum.hint()).isEqualTo(CounterResetHint.UNKNOWN);
        sum.add(h.withHint(CounterResetHint.GAUGE));
        assertThat(sum.hint()).isEqualTo(CounterResetHint.GAUGE);
    }

    @Test
    void resetsShowInCountsBucketsAndResolution() {
        FloatHistogram h = exponential(0, 0, 1, 0, 5, 5);
        assertThat(h.isResetAfter(h)).isFalse();
        assertThat(exponential(0, 0, 1, 0, 5, 6).isResetAfter(h)).isFalse();
        assertThat(exponential(0, 0, 1, 0, 4, 7).isResetAfter(h)).isTrue();
        assertThat(exponential(0, 0, 0, 0, 6, 6).isResetAfter(h)).isTrue();
        assertThat(exponential(1, 0, 1, 0, 9, 9).isResetAfter(h)).isTrue();
        assertThat(h.withHint(CounterResetHint.RESET).isResetAfter(h)).isTrue();
        assertThat(exponential(0, 0, 1, 0, 4, 7).withHint(CounterResetHint.NOT_RESET).isResetAfter(h)).isFalse();
    }

    @Test
    void divisionByZeroLeavesNoBuckets() {
        FloatHistogram h = exponential(0, 0, 0, 0, 1, 2).dividedBy(0);
        assertThat(h.positiveBuckets()).isEmpty();
        assertThat(h.count()).isEqualTo(Double.POSITIVE_INFINITY);
        assertThat(exponential(0, 0, 0, 0, 1).times(-1).hint()).isEqualTo(CounterResetHint.GAUGE);
    }

    @Test
    void quantilesAndFractionsAreInverse() {
        FloatHistogram h = exponential(2, 0.001, 3, -4, 1, 5, 0, 7, 2);
        for (double q : new double[]{0.2, 0.4, 0.6, 0.9}) {
            double v = h.quantile(q).value();
            assertThat(h.fraction(Double.NEGATIVE_INFINITY, v).value()).isCloseTo(q, within(1e-9));
        }
        assertThat(h.quantile(-1).value()).isEqualTo(Double.NEGATIVE_INFINITY);
        assertThat(h.quantile(2).value()).isEqualTo(Double.POSITIVE_INFINITY);
        assertThat(h.quantile(Double.NaN).value()).isNaN();
    }

    @Test
    void trimmingKeepsCountsOfWholeBucketsAndAShareOfTheOneCut() {
        FloatHistogram h = custom(new double[]{10, 20, 30}, 4, 4, 4, 0);
        FloatHistogram upper = h.trimUpper(15);
        assertThat(upper.count()).isEqualTo(6);
        assertThat(upper.sum()).isEqualTo(4 * 5 + 2 * 12.5);
        assertThat(h.trimUpper(100)).isSameAs(h);
        assertThat(h.trimLower(20).count()).isEqualTo(4);
    }

    @Test
    void compactionDropsEmptyBucketsAndJoinsSpans() {
        FloatHistogram h = new FloatHistogram(CounterResetHint.UNKNOWN, 0, 0, 0, 3, 3, List.of(new Span(-1, 3), new Span(0, 2)),
                new double[]{0, 1, 1, 1, 0}, List.of(), NONE, NONE);
        FloatHistogram c = h.compact();
        assertThat(c.positiveSpans()).containsExactly(new Span(0, 3));
        assertThat(c.positiveBuckets()).containsExactly(1, 1, 1);
        assertThat(c.compact()).isSameAs(c);
    }

    @Test
    void printsAsPrometheusDoes() {
        assertThat(exponential(0, 0.5, 2, 1, 3).toString()).isEqualTo("{count:5, sum:10, [-0.5,0.5]:2, (1,2]:3}");
        assertThat(custom(new double[]{5}, 1, 2).toString()).isEqualTo("{count:3, sum:3, [-Inf,5]:1, (5,+Inf]:2}");
        assertThat(exponential(0, 0, 0, 1, 3).sampleSize()).isEqualTo((168 + 16 + 8) / 16);
    }

    @Test
    void sumsOfManyKeepWhatFloatsWouldLose() {
        HistogramSum sum = new HistogramSum(exponential(0, 0, 0, 0, 1e16));
        for (int i = 0; i < 1000; i++) {
            sum.add(exponential(0, 0, 0, 0, 1));
        }
        sum.subtract(exponential(0, 0, 0, 0, 1e16));
        assertThat(sum.result().positiveBuckets()).containsExactly(1000);
    }

    @Test
    void subtractingWhatWasAddedGivesTheSame() {
        Random r = new Random(1);
        for (int n = 0; n < 200; n++) {
            FloatHistogram a = random(r);
            FloatHistogram b = random(r);
            HistogramSum sum = new HistogramSum(a);
            assertThat(sum.add(b)).isTrue();
            double total = 0;
            FloatHistogram both = sum.result();
            for (HistogramBucket bucket : both.buckets()) {
                total += bucket.count();
            }
            assertThat(total).isEqualTo(a.count() + b.count());
            assertThat(both.count()).isEqualTo(total);
            assertThat(both.schema()).isEqualTo(Math.min(a.schema(), b.schema()));
        }
    }

    private static FloatHistogram random(Random r) {
        double[] buckets = new double[1 + r.nextInt(12)];
        for (int i = 0; i < buckets.length; i++) {
            buckets[i] = r.nextInt(4);
        }
        return exponential(r.nextInt(6) - 2, 0, r.nextInt(3), r.nextInt(20) - 10, buckets);
    }

    /** Whether histograms of one layout fell is asked without laying their buckets out: the same with a span written as two. */
    @Test
    void resetsOfOneLayoutAreThoseOfAny() {
        Random rng = new Random(5);
        int[] resets = new int[2];
        for (int i = 0; i < 20_000; i++) {
            int n = 2 + rng.nextInt(6);
            int m = rng.nextInt(3);
            double threshold = rng.nextInt(3) == 0 ? 1 : 0;
            int first = rng.nextInt(6) - 3;
            FloatHistogram before = random(rng, threshold, first, n, m, null);
            FloatHistogram now = random(rng, threshold, first, n, m, before);
            List<Span> split = List.of(new Span(first, 1), new Span(0, n - 1));
            FloatHistogram spelled = new FloatHistogram(now.hint(), now.schema(), now.zeroThreshold(), now.zeroCount(), now.count(),
                    now.sum(),
                    split, now.positiveBuckets(), now.negativeSpans(), now.negativeBuckets(), now.customValues());
            assertThat(now.isResetAfter(before)).isEqualTo(spelled.isResetAfter(before));
            resets[now.isResetAfter(before) ? 1 : 0]++;
        }
        assertThat(resets[0]).isGreaterThan(1000);
        assertThat(resets[1]).isGreaterThan(1000);
    }

    /** Mostly no smaller than the one before. */
    private static FloatHistogram random(Random rng, double threshold, int first, int n, int m, @Nullable FloatHistogram before) {
        double[] positive = new double[n];
        double[] negative = new double[m];
        for (int i = 0; i < n; i++) {
            positive[i] = Math.max(0, (before == null ? 0 : before.positiveBuckets()[i]) + rng.nextInt(4) - (rng.nextInt(12) == 0 ? 2 : 0));
        }
        for (int i = 0; i < m; i++) {
            negative[i] = Math.max(0, (before == null ? 0 : before.negativeBuckets()[i]) + rng.nextInt(4) - (rng.nextInt(12) == 0 ? 2 : 0));
        }
        double zero = Math.max(0, (before == null ? 2 : before.zeroCount()) + rng.nextInt(3) - (rng.nextInt(12) == 0 ? 1 : 0));
        return new FloatHistogram(CounterResetHint.UNKNOWN, 1, threshold, zero, before == null ? 5 : 50, 1, List.of(new Span(first, n)),
                positive, m == 0 ? List.of() : List.of(new Span(first, m)), negative, FloatHistogram.NO_BUCKETS);
    }
}
