package io.varve.demo;

import io.varve.model.CounterResetHint;
import io.varve.model.Histogram;
import io.varve.model.Labels;
import io.varve.model.Span;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A small web shop as known functions of time: what its two instances would have exposed at any moment, past or present. Traffic follows
 * the day, processes restart now and then (counters begin again at 0), the evening is slow. Everything is a pure function, so that
 * history and live samples join without a seam and a check can know the truth.
 */
final class Shop {
    /** Upper bounds of the classic latency histogram, in seconds. */
    private static final double[] BOUNDS = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, Double.POSITIVE_INFINITY};
    /** Share of quick and of slow requests at or below each bound. */
    private static final double[] QUICK = {0.35, 0.7, 0.9, 0.97, 0.99, 0.995, 0.998, 1, 1};
    private static final double[] SLOW = {0, 0.02, 0.05, 0.15, 0.45, 0.75, 0.92, 0.99, 1};
    /** Native histogram, schema 1 (bucket bounds are powers of the square root of 2): buckets −13 to 3, 11 ms to 2.8 s. */
    private static final int NATIVE_FIRST = -13;
    private static final double[] NATIVE_QUICK = {8, 14, 22, 26, 12, 7, 4, 3, 1.5, 1, 0.6, 0.4, 0.2, 0.1, 0.1, 0.05, 0.05};
    private static final double[] NATIVE_SLOW = {0, 0, 0, 1, 2, 4, 6, 10, 16, 20, 16, 10, 7, 4, 2, 1, 1};
    private static final double DAY = 86_400;
    private static final String[] INSTANCES = {"shop-0:8080", "shop-1:8080"};

    /** One series: its labels and its value at a time. Exactly one of the two functions is there. */
    record ShopSeries(Labels labels, @Nullable FloatAt floatAt, @Nullable HistogramAt histogramAt) {
    }

    /** A float over time (seconds since 1970). */
    interface FloatAt {
        double at(double seconds);
    }

    /** A histogram over time (seconds since 1970). */
    interface HistogramAt {
        Histogram at(double seconds);
    }

    private Shop() {
    }

    /** All series, without external labels, in label order. */
    static List<ShopSeries> series() {
        List<ShopSeries> out = new ArrayList<>();
        for (int i = 0; i < INSTANCES.length; i++) {
            int instance = i;
            String[] codes = {"200", "404", "500"};
            double[] shares = {0.94, 0.05, 0.01};
            for (int c = 0; c < codes.length; c++) {
                for (String path : new String[]{"/basket", "/search"}) {
                    double share = shares[c] * (path.equals("/search") ? 0.7 : 0.3);
                    out.add(floats(labels("demo_http_requests_total", i, "code", codes[c], "path", path),
                            t -> Math.floor(share * (quick(instance, t) + slow(instance, t)))));
                }
            }
            for (int b = 0; b < BOUNDS.length; b++) {
                int bucket = b;
                String le = Double.isInfinite(BOUNDS[b]) ? "+Inf" : trimmed(BOUNDS[b]);
                out.add(floats(labels("demo_http_request_duration_seconds_bucket", i, "le", le),
                        t -> Math.floor(QUICK[bucket] * quick(instance, t)) + Math.floor(SLOW[bucket] * slow(instance, t))));
            }
            out.add(floats(labels("demo_http_request_duration_seconds_count", i),
                    t -> Math.floor(quick(instance, t)) + Math.floor(slow(instance, t))));
            out.add(floats(labels("demo_http_request_duration_seconds_sum", i), t -> 0.03 * quick(instance, t) + 0.4 * slow(instance, t)));
            out.add(new ShopSeries(labels("demo_http_request_latency_seconds", i), null, t -> latency(instance, t)));
            out.add(floats(labels("demo_queue_length", i),
                    t -> Math.floor(20 + 15 * Math.sin(2 * Math.PI * t / DAY + instance) + 5 * Math.sin(t / 611))));
            out.add(floats(labels("demo_temperature_celsius", i),
                    t -> 21 + 4 * Math.sin(2 * Math.PI * t / DAY) + Math.sin(t / 3001 + instance)));
        }
        out.sort((a, b) -> a.labels().compareTo(b.labels()));
        return List.copyOf(out);
    }

    private static ShopSeries floats(Labels labels, FloatAt at) {
        return new ShopSeries(labels, at, null);
    }

    private static Labels labels(String name, int instance, String... more) {
        Labels.Builder b = Labels.of(Labels.METRIC_NAME, name, "instance", INSTANCES[instance], "job", "shop").toBuilder();
        for (int i = 0; i < more.length; i += 2) {
            b.set(more[i], more[i + 1]);
        }
        return b.build();
    }

    private static String trimmed(double v) {
        return v == Math.rint(v) ? Long.toString((long) v) : Double.toString(v);
    }

    /** Quick requests since the last restart; the rate is 20 per second, half as much at night. */
    private static double quick(int instance, double t) {
        double start = restart(instance, t);
        return 20 * (1 + 0.2 * instance) * (daily(t, 0.5, 0) - daily(start, 0.5, 0));
    }

    /** Slow requests since the last restart; most of them in the evening. */
    private static double slow(int instance, double t) {
        double start = restart(instance, t);
        return 1.5 * (daily(t, 0.9, 2.5) - daily(start, 0.9, 2.5));
    }

    /** The integral of {@code 1 + swing·sin(2πt/day − phase)}: rises always. */
    private static double daily(double t, double swing, double phase) {
        double w = 2 * Math.PI / DAY;
        return t - swing / w * Math.cos(w * t - phase);
    }

    /** When the process that runs at {@code t} was started: every 3 days and 7 hours, the instances apart. */
    private static double restart(int instance, double t) {
        double period = 3 * DAY + 7 * 3600;
        double shift = 40_000.0 + 70_000.0 * instance;
        return Math.floor((t - shift) / period) * period + shift;
    }

    private static Histogram latency(int instance, double t) {
        double quick = quick(instance, t) / 100;
        double slow = slow(instance, t) / 100;
        long[] deltas = new long[NATIVE_QUICK.length];
        long before = 0;
        long count = 0;
        for (int i = 0; i < deltas.length; i++) {
            long bucket = (long) Math.floor(NATIVE_QUICK[i] * quick) + (long) Math.floor(NATIVE_SLOW[i] * slow);
            deltas[i] = bucket - before;
            before = bucket;
            count += bucket;
        }
        return new Histogram(CounterResetHint.UNKNOWN, 1, 1e-6, 0, count, 0.03 * quick * 100 + 0.4 * slow * 100,
                List.of(new Span(NATIVE_FIRST, deltas.length)), deltas, List.of(), new long[0], new double[0]);
    }
}
