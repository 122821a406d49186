package io.varve.promql;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.SeriesSource;
import io.varve.model.Span;
import io.varve.model.UnavailableException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Series in memory, random from a seed; fails on demand. */
public final class MemorySource implements SeriesSource {
    public static final long START = 1_700_000_000_000L;
    static final long INTERVAL = 15_000;

    final TreeMap<Labels, SampleBuffer> series = new TreeMap<>();
    /** Reads until the source fails; negative for never. */
    public volatile int failAfter = -1;
    public volatile int open;
    /** Runs before each series is given. */
    public volatile Runnable onNext = () -> {
    };
    /** How many series were asked for. */
    public volatile int asked;

    /** Counters, gauges, histograms and classic buckets of a seed. */
    public static MemorySource random(long seed, int samples) {
        MemorySource source = new MemorySource();
        Random r = new Random(seed);
        for (String job : List.of("api", "web")) {
            for (int i = 0; i < 4; i++) {
                source.put(counter(r, samples), "__name__", "requests_total", "instance", "i" + i, "job", job);
                source.put(gauge(r, samples), "__name__", "temperature", "instance", "i" + i, "job", job);
                source.put(histograms(r, samples), "__name__", "latency", "instance", "i" + i, "job", job);
                double[] counts = new double[samples];
                for (String le : List.of("0.1", "0.5", "1", "+Inf")) {
                    SampleBuffer b = new SampleBuffer(samples);
                    for (int s = 0; s < samples; s++) {
                        counts[s] += r.nextInt(5) + (s == 0 ? 0 : 1);
                        b.add(START + s * INTERVAL, counts[s] * (s + 1));
                    }
                    source.put(b, "__name__", "wait_bucket", "instance", "i" + i, "job", job, "le", le);
                }
            }
            source.put(gauge(r, samples), "__name__", "limit", "job", job);
        }
        return source;
    }

    /** Adds a series. */
    public void put(SampleBuffer samples, String... labels) {
        series.put(Labels.of(labels), samples);
    }

    private static SampleBuffer counter(Random r, int samples) {
        SampleBuffer b = new SampleBuffer(samples);
        double v = 0;
        for (int i = 0; i < samples; i++) {
            v = r.nextInt(40) == 0 ? 0 : v + r.nextInt(20);
            if (r.nextInt(15) != 0) {
                b.add(START + i * INTERVAL + r.nextInt(400), v);
            }
        }
        return b;
    }

    private static SampleBuffer gauge(Random r, int samples) {
        SampleBuffer b = new SampleBuffer(samples);
        for (int i = 0; i < samples; i++) {
            int kind = r.nextInt(30);
            double v = kind == 0
                    ? SampleBuffer.STALE_NAN
                    : kind == 1
                            ? Double.NaN
                            : kind == 2
                                    ? Double.POSITIVE_INFINITY
                                    : kind < 8 ? Math.round(r.nextGaussian() * 3) : r.nextGaussian() * Math.pow(10, r.nextInt(6));
            if (r.nextInt(20) != 0) {
                b.add(START + i * INTERVAL + r.nextInt(400), v);
            }
        }
        return b;
    }

    private static SampleBuffer histograms(Random r, int samples) {
        SampleBuffer b = new SampleBuffer(samples);
        double[] counts = new double[4];
        double zero = 0;
        for (int i = 0; i < samples; i++) {
            boolean reset = r.nextInt(40) == 0;
            double total = 0;
            double sum = 0;
            for (int j = 0; j < counts.length; j++) {
                counts[j] = reset ? 0 : counts[j] + r.nextInt(5);
                total += counts[j];
                sum += counts[j] * (j + 1);
            }
            zero = reset ? 0 : zero + r.nextInt(2);
            b.add(START + i * INTERVAL, new FloatHistogram(CounterResetHint.UNKNOWN, 1, 0.001, zero, total + zero, sum,
                    List.of(new Span(-1, 2), new Span(1, 2)), counts.clone(), List.of(), new double[0], new double[0]));
        }
        return b;
    }

    @Override
    public SeriesSet select(QueryContext context, SelectHints hints, List<Matcher> matchers) {
        List<Labels> found = new ArrayList<>();
        for (Labels l : series.keySet()) {
            if (matchers.stream().allMatch(m -> m.matches(l.get(m.name())))) {
                found.add(l);
            }
        }
        Iterator<Labels> it = found.iterator();
        synchronized (this) {
            open++;
        }
        return new SeriesSet() {
            private boolean closed;

            @Override
            public @Nullable Series next() {
                asked++;
                onNext.run();
                fail();
                return !closed && it.hasNext() ? one(it.next(), hints) : null;
            }

            @Override
            public void close() {
                synchronized (MemorySource.this) {
                    if (!closed) {
                        closed = true;
                        open--;
                    }
                }
            }
        };
    }

    private synchronized void fail() {
        if (failAfter >= 0 && failAfter-- == 0) {
            throw new UnavailableException("the source failed");
        }
    }

    private Series one(Labels labels, SelectHints hints) {
        SampleBuffer all = series.getOrDefault(labels, new SampleBuffer(0));
        return new Series() {
            @Override
            public Labels labels() {
                return hints.labels().of(labels);
            }

            @Override
            public void read(SampleBuffer into) {
                fail();
                for (int i = 0; i < all.size; i++) {
                    long t = all.timestamps[i];
                    if (hints.range().contains(t)) {
                        FloatHistogram h = all.histogram(i);
                        if (h != null) {
                            into.add(t, h);
                        } else {
                            into.add(t, all.values[i]);
                        }
                    }
                }
            }

            @Override
            public long encodedBytes() {
                return 2L * all.size;
            }
        };
    }
}
