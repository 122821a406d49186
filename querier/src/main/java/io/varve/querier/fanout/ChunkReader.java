package io.varve.querier.fanout;

import io.varve.chunk.AverageReader;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.CounterReader;
import io.varve.model.CorruptDataException;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.HistogramSum;
import io.varve.model.SampleBuffer;
import io.varve.querier.dedup.Chain;
import io.varve.querier.dedup.Samples;
import io.varve.store.Aggregate;
import io.varve.store.StoreChunk;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;

/** Samples of one replica's chunks, raw and downsampled. Static and without state. */
final class ChunkReader {
    static final long FINE = 300_000;
    static final long COARSE = 3_600_000;
    /** Room for so many samples is made before the first one is decoded, at most. */
    private static final int MOST_AT_ONCE = 1 << 20;

    private ChunkReader() {
    }

    /** Which parts of downsampled chunks a PromQL function wants, as Thanos maps them. */
    static Set<Aggregate> aggregates(String function) {
        if (function.equals("min") || function.startsWith("min_")) {
            return Set.of(Aggregate.MIN);
        }
        if (function.equals("max") || function.startsWith("max_")) {
            return Set.of(Aggregate.MAX);
        }
        if (function.equals("count") || function.startsWith("count_")) {
            return Set.of(Aggregate.COUNT);
        }
        if (function.startsWith("sum_")) {
            return Set.of(Aggregate.SUM);
        }
        return switch (function) {
            case "increase", "rate", "irate", "resets", "xincrease", "xrate" -> Set.of(Aggregate.COUNTER);
            default -> Set.of(Aggregate.COUNT, Aggregate.SUM);
        };
    }

    /** Whether the function needs two samples in its window, so that data coarser than half the window has no answer. */
    static boolean needsTwo(String function) {
        return switch (function) {
            case "rate", "irate", "increase", "delta", "idelta", "deriv", "predict_linear", "holt_winters",
                    "double_exponential_smoothing" ->
                true;
            default -> false;
        };
    }

    /**
     * As Thanos reads: chunk after chunk, what steps back in time skipped; counters with resets taken out, raw ones too.
     */
    static void readAsThanos(List<StoreChunk> chunks, Set<Aggregate> aggregates, long min, long max, SampleBuffer into) {
        int from = into.size;
        if (aggregates.contains(Aggregate.COUNTER)) {
            CounterReader counter = new CounterReader();
            for (StoreChunk c : chunks) {
                counter.append(c.raw() != null ? c.raw() : part(c.counter(), c, Aggregate.COUNTER), into);
            }
        } else {
            SampleBuffer one = new SampleBuffer(128);
            for (StoreChunk c : chunks) {
                one.clear();
                long last = into.size > from ? into.timestamps[into.size - 1] : Long.MIN_VALUE;
                decodePart(c, aggregates, one);
                int i = last == Long.MIN_VALUE ? 0 : Samples.lowerBound(one, 0, last + 1);
                Samples.append(one, i, one.size, into);
            }
        }
        Samples.cut(into, from, min, max);
    }

    private static Chunk part(@Nullable Chunk c, StoreChunk whole, Aggregate what) {
        if (c == null) {
            throw new CorruptDataException("", -1, "aggregate " + what.name().toLowerCase(java.util.Locale.ROOT)
                    + " does not exist in the chunk of " + whole.minTime() + " to " + whole.maxTime());
        }
        return c;
    }

    /** The samples that stand for a chunk where counters are not asked for. */
    private static void decodePart(StoreChunk c, Set<Aggregate> aggregates, SampleBuffer into) {
        if (c.raw() != null) {
            ChunkDecoder.decode(c.raw(), into);
        } else if (aggregates.size() == 2) {
            AverageReader.append(part(c.count(), c, Aggregate.COUNT), part(c.sum(), c, Aggregate.SUM), into);
        } else if (aggregates.contains(Aggregate.COUNT)) {
            ChunkDecoder.decode(part(c.count(), c, Aggregate.COUNT), into);
        } else if (aggregates.contains(Aggregate.SUM)) {
            ChunkDecoder.decode(part(c.sum(), c, Aggregate.SUM), into);
        } else if (aggregates.contains(Aggregate.MIN)) {
            ChunkDecoder.decode(part(c.min(), c, Aggregate.MIN), into);
        } else if (aggregates.contains(Aggregate.MAX)) {
            ChunkDecoder.decode(part(c.max(), c, Aggregate.MAX), into);
        } else {
            ChunkDecoder.decode(part(c.counter(), c, Aggregate.COUNTER), into);
        }
    }

    // --- varve's own ------------------------------------------------------------------------------------------------------------

    /** Whether all chunks are raw. */
    static boolean allRaw(List<StoreChunk> chunks) {
        for (StoreChunk c : chunks) {
            if (c.raw() == null) {
                return false;
            }
        }
        return true;
    }

    /**
     * Raw samples of one replica from {@code min} to {@code max}: chunks that lie apart are decoded where they belong, those that overlap,
     * as when a sidecar and a store gateway both have them, are united.
     *
     * @param chunks in order of their start
     */
    static void readRaw(List<StoreChunk> chunks, long min, long max, SampleBuffer into) {
        into.ensure(atMost(chunks, min, max));
        int n = chunks.size();
        int i = 0;
        while (i < n) {
            StoreChunk c = chunks.get(i);
            if (c.maxTime() < min) {
                i++;
                continue;
            }
            if (c.minTime() > max) {
                return;
            }
            long end = c.maxTime();
            int j = i + 1;
            while (j < n && chunks.get(j).minTime() <= end && chunks.get(j).minTime() <= max) {
                end = Math.max(end, chunks.get(j).maxTime());
                j++;
            }
            if (j == i + 1) {
                one(part(c.raw(), c, Aggregate.RAW), min, max, into);
            } else {
                List<SampleBuffer> all = new ArrayList<>(j - i);
                for (StoreChunk o : chunks.subList(i, j)) {
                    SampleBuffer b = new SampleBuffer(128);
                    ChunkDecoder.decode(part(o.raw(), o, Aggregate.RAW), min, max, b);
                    all.add(b);
                }
                unite(all, into);
            }
            i = j;
        }
    }

    /** How many samples chunks have that see a range, so that room is made once and not again and again while they are decoded. */
    private static int atMost(List<StoreChunk> chunks, long min, long max) {
        long n = 0;
        for (StoreChunk c : chunks) {
            Chunk raw = c.raw();
            if (raw != null && c.maxTime() >= min && c.minTime() <= max) {
                // A sample has two bits at least: a damaged header must not take more memory than the chunk does.
                n += Math.min(ChunkDecoder.sampleCount(raw), 4L * raw.length());
            }
        }
        return (int) Math.min(n, MOST_AT_ONCE);
    }

    private static void one(Chunk c, long min, long max, SampleBuffer into) {
        int from = into.size;
        if (c.minTime() >= min && c.maxTime() <= max) {
            ChunkDecoder.decode(c, into);
        } else {
            ChunkDecoder.decode(c, min, max, into);
        }
        // A chunk that reaches beyond the times its store gave it must not break the order.
        if (from > 0 && into.size > from && into.timestamps[from] <= into.timestamps[from - 1]) {
            int keep = Samples.lowerBound(into, from, into.timestamps[from - 1] + 1);
            SampleBuffer rest = new SampleBuffer(into.size - keep);
            Samples.append(into, keep, into.size, rest);
            into.size = from;
            Samples.append(rest, 0, rest.size, into);
        }
    }

    private static void unite(List<SampleBuffer> all, SampleBuffer into) {
        SampleBuffer united = new SampleBuffer(256);
        Chain.merge(all, united);
        int i = into.size == 0 ? 0 : Samples.lowerBound(united, 0, into.timestamps[into.size - 1] + 1);
        Samples.append(united, i, united.size, into);
    }

    /** Milliseconds between a chunk's samples, roughly, without decoding it. */
    static long spacing(StoreChunk c) {
        Chunk some = c.raw() != null
                ? c.raw()
                : c.count() != null
                        ? c.count()
                        : c.counter() != null
                                ? c.counter()
                                : c.sum() != null
                                        ? c.sum()
                                        : c.min() != null ? c.min() : c.max();
        if (some == null) {
            return 0;
        }
        int n = ChunkDecoder.sampleCount(some);
        return n < 2 ? 0 : (c.maxTime() - c.minTime()) / (n - 1);
    }

    /** Whether a downsampled chunk is of the finer of the two resolutions. */
    static boolean isFine(StoreChunk c) {
        return spacing(c) <= (FINE + COARSE) / 2;
    }

    /**
     * One replica where some of its data is downsampled: at every time the finest that exists. Counters come without resets over all of it,
     * since resets within a downsampled chunk cannot be seen any more.
     *
     * @param chunks in order of their start
     * @param min first instant that matters, for points that stand for the time around them, too; none before is given
     * @param window the reader's window where points are to be set so densely that each window sees some, 0 for the points as they are
     * @param seen where windows are, which is where histograms are set so densely: each takes much memory
     * @param others chunks of other replicas: what is downsampled is left out where they have finer data
     */
    static void readMixed(List<StoreChunk> chunks, Set<Aggregate> aggregates, long min, long max, long window, LongPredicate seen,
            List<StoreChunk> others, SampleBuffer into) {
        List<StoreChunk> raw = new ArrayList<>();
        List<StoreChunk> fine = new ArrayList<>();
        List<StoreChunk> coarse = new ArrayList<>();
        for (StoreChunk c : chunks) {
            if (c.minTime() > max) {
                break;
            }
            if (c.maxTime() >= min) {
                (c.raw() != null ? raw : isFine(c) ? fine : coarse).add(c);
            }
        }
        List<StoreChunk> anyRaw = new ArrayList<>(raw);
        List<StoreChunk> anyFine = new ArrayList<>(fine);
        for (StoreChunk c : others) {
            if (c.minTime() <= max && c.maxTime() >= min) {
                if (c.raw() != null) {
                    anyRaw.add(c);
                } else if (isFine(c)) {
                    anyFine.add(c);
                }
            }
        }
        Runs overFine = Runs.of(anyRaw, FINE);
        Runs overCoarse = Runs.of(concat(anyRaw, anyFine), COARSE);
        if (aggregates.contains(Aggregate.COUNTER)) {
            List<StoreChunk> finer = new ArrayList<>(raw);
            List<StoreChunk> keptFine = uncovered(fine, overFine, min, max);
            finer.addAll(keptFine);
            List<StoreChunk> keptCoarse = uncovered(coarse, overCoarse, min, max);
            SampleBuffer points = totals(concat(finer, keptCoarse));
            points = refined(points, keptCoarse, Runs.of(finer, COARSE), finer);
            points = refined(points, keptFine, Runs.of(raw, FINE), raw);
            int start = into.size;
            if (window <= 0) {
                Samples.append(points, 0, points.size, into);
            } else {
                interpolate(points, Runs.of(concat(fine, coarse), 0), window, seen, into);
            }
            Samples.cut(into, start, min, max);
            return;
        }
        SampleBuffer best = new SampleBuffer(256);
        readRaw(raw, Long.MIN_VALUE, Long.MAX_VALUE, best);
        for (List<StoreChunk> level : List.of(fine, coarse)) {
            if (level.isEmpty()) {
                continue;
            }
            Runs finer = level == fine ? overFine : overCoarse;
            SampleBuffer more = new SampleBuffer(256);
            SampleBuffer one = new SampleBuffer(160);
            for (StoreChunk c : level) {
                one.clear();
                decodePart(c, aggregates, one);
                long last = more.size == 0 ? Long.MIN_VALUE : more.timestamps[more.size - 1];
                for (int i = 0; i < one.size; i++) {
                    if (one.timestamps[i] > last && !finer.has(one.timestamps[i])) {
                        repeat(one, i, level == fine ? FINE : COARSE, window, aggregates, more);
                        Samples.append(one, i, i + 1, more);
                    }
                }
            }
            SampleBuffer both = new SampleBuffer(best.size + more.size);
            Chain.merge(List.of(best, more), both);
            best = both;
        }
        int from = into.size;
        Samples.append(best, 0, best.size, into);
        Samples.cut(into, from, min, max);
    }

    private static SampleBuffer totals(List<StoreChunk> chunks) {
        List<StoreChunk> order = new ArrayList<>(chunks);
        order.sort((a, b) -> a.minTime() != b.minTime() ? Long.compare(a.minTime(), b.minTime()) : Long.compare(a.maxTime(), b.maxTime()));
        SampleBuffer out = new SampleBuffer(256);
        readAsThanos(order, Set.of(Aggregate.COUNTER), Long.MIN_VALUE, Long.MAX_VALUE, out);
        return out;
    }

    /**
     * A counter's totals with what finer chunks say where they lie within coarser ones: chunk after chunk, they would be passed over. Their
     * own totals are laid on the others where they end, since what is behind goes on from there.
     */
    private static SampleBuffer refined(SampleBuffer totals, List<StoreChunk> coarser, Runs finer, List<StoreChunk> chunks) {
        SampleBuffer out = totals;
        for (StoreChunk c : coarser) {
            for (long[] run : finer.spans) {
                long from = Math.max(run[0], c.minTime());
                long to = Math.min(run[1], c.maxTime());
                if (from >= to) {
                    continue;
                }
                SampleBuffer more = totals(chunks.stream().filter(f -> f.minTime() <= to && f.maxTime() >= from).toList());
                Samples.cut(more, 0, from, to);
                if (more.size > 0) {
                    out = replaced(out, more);
                }
            }
        }
        return out;
    }

    private static SampleBuffer replaced(SampleBuffer totals, SampleBuffer by) {
        int last = by.size - 1;
        int before = Samples.lowerBound(totals, 0, by.timestamps[0]);
        int behind = Samples.lowerBound(totals, before, by.timestamps[last] + 1);
        SampleBuffer out = new SampleBuffer(totals.size + by.size);
        Samples.append(totals, 0, before, out);
        Samples.append(by, 0, by.size, out);
        Samples.append(totals, behind, totals.size, out);
        if (by.histogram(last) != null || behind > 0 && totals.histogram(behind - 1) != null) {
            return out;
        }
        double end = behind == 0 ? totals.values[0] : totals.values[behind - 1];
        if (behind > 0 && behind < totals.size && totals.histogram(behind) == null && totals.timestamps[behind - 1] < by.timestamps[last]) {
            end = Samples.onLine(totals, behind - 1, behind, by.timestamps[last]);
        }
        double least = before == 0 ? Double.NEGATIVE_INFINITY : totals.values[before - 1];
        for (int i = 0; i <= last; i++) {
            out.values[before + i] = Math.max(least, end - (by.values[last] - by.values[i]));
        }
        return out;
    }

    /** Whether any chunk holds histograms. */
    static boolean anyHistogram(List<StoreChunk> chunks) {
        for (StoreChunk c : chunks) {
            if (isHistogram(c.raw()) || isHistogram(c.sum()) || isHistogram(c.counter())) {
                return true;
            }
        }
        return false;
    }

    private static boolean isHistogram(@Nullable Chunk c) {
        return c != null && switch (c.encoding()) {
            case HISTOGRAM, FLOAT_HISTOGRAM, HISTOGRAM_ST, FLOAT_HISTOGRAM_ST -> true;
            case XOR, XOR2, AGGREGATE -> false;
        };
    }

    /** Distance of points that lets each window of the reader see at least two. */
    private static long spacing(long resolution, long window) {
        return window <= 0 || window >= 2 * resolution ? Long.MAX_VALUE : Math.max(1000, window / 3);
    }

    /** A downsampled point stands for the whole time up to it: says it there, too, as often as the reader's window needs. */
    private static void repeat(SampleBuffer in, int i, long resolution, long window, Set<Aggregate> aggregates, SampleBuffer out) {
        long step = spacing(resolution, window);
        if (step == Long.MAX_VALUE) {
            return;
        }
        long t = in.timestamps[i];
        long from = t - resolution;
        if (out.size > 0) {
            from = Math.max(from, out.timestamps[out.size - 1]);
        }
        long k = (t - from - 1) / step;
        FloatHistogram h = in.histogram(i);
        boolean sum = aggregates.size() == 1 && aggregates.contains(Aggregate.SUM);
        if (sum && k > 0) {
            // A sum is shared out, so that windows that see all of it see it once.
            if (h == null) {
                in.values[i] /= k + 1;
            } else {
                in.histogramArray()[i] = h.dividedBy(k + 1);
            }
        }
        for (long j = k; j > 0; j--) {
            Samples.append(in, i, i + 1, out);
            out.timestamps[out.size - 1] = t - j * step;
        }
    }

    /** Points of a counter's sum on the line between those that downsampling left. */
    private static void interpolate(SampleBuffer in, Runs downsampled, long window, LongPredicate seen, SampleBuffer out) {
        for (int i = 0; i < in.size; i++) {
            FloatHistogram before = i == 0 ? null : in.histogram(i - 1);
            FloatHistogram now = in.histogram(i);
            if (i > 0 && (before == null) == (now == null)) {
                long a = in.timestamps[i - 1];
                long b = in.timestamps[i];
                long step = spacing(b - a, window);
                if (step != Long.MAX_VALUE && b - a <= COARSE + FINE && b - a > step && downsampled.has(b)) {
                    FloatHistogram gain = gain(before, now);
                    for (long t = b - (b - a - 1) / step * step; t < b; t += step) {
                        if (t <= a) {
                            continue;
                        }
                        if (before == null) {
                            out.add(t, Samples.onLine(in, i - 1, i, t));
                        } else if (gain != null && seen.test(t)) {
                            HistogramSum sum = new HistogramSum(before);
                            if (sum.add(gain.times((double) (t - a) / (b - a)))) {
                                FloatHistogram h = sum.result().withHint(CounterResetHint.UNKNOWN);
                                out.announce(h.bytes());
                                out.add(t, h);
                            }
                        }
                    }
                }
            }
            Samples.append(in, i, i + 1, out);
        }
    }

    /** What a histogram gained; null where there is none, after a reset, or where the two cannot be compared. */
    private static @Nullable FloatHistogram gain(@Nullable FloatHistogram before, @Nullable FloatHistogram now) {
        if (before == null || now == null || before.isStale() || now.isStale() || now.isResetAfter(before)) {
            return null;
        }
        HistogramSum gain = new HistogramSum(now);
        return gain.subtract(before) ? gain.result() : null;
    }

    private static List<StoreChunk> concat(List<StoreChunk> a, List<StoreChunk> b) {
        List<StoreChunk> out = new ArrayList<>(a);
        out.addAll(b);
        return out;
    }

    /**
     * Counters' chunks that have points between {@code min} and {@code max} where nothing finer is. A last one alone does not count: it stands
     * at the end of its time, after the last sample. Where nothing was scraped for long, neither has anything.
     */
    private static List<StoreChunk> uncovered(List<StoreChunk> level, Runs finer, long min, long max) {
        List<StoreChunk> out = new ArrayList<>();
        SampleBuffer points = new SampleBuffer(160);
        for (StoreChunk c : level) {
            long from = Math.max(min, c.minTime());
            long to = Math.min(max, c.maxTime());
            long overlap = finer.overlap(from, to);
            if (overlap == 0 && !finer.has(from)) {
                out.add(c);
            } else if (overlap < to - from) {
                points.clear();
                ChunkDecoder.decode(part(c.counter(), c, Aggregate.COUNTER), points);
                int alone = 0;
                for (int i = 0; i < points.size; i++) {
                    long t = points.timestamps[i];
                    alone += t >= from && t <= to && !finer.has(t) && (i == 0 || t > points.timestamps[i - 1]) ? 1 : 0;
                }
                if (alone > 1) {
                    out.add(c);
                }
            }
        }
        return out;
    }

    /** Spans of time that chunks cover, both ends included, those that lie near each other as one. */
    private record Runs(List<long[]> spans) {
        /** @param gap how far apart the samples of two chunks may be with nothing missing: each chunk ends with a sample */
        static Runs of(List<StoreChunk> chunks, long gap) {
            List<StoreChunk> sorted = new ArrayList<>(chunks);
            sorted.sort((a, b) -> Long.compare(a.minTime(), b.minTime()));
            List<long[]> spans = new ArrayList<>();
            for (StoreChunk c : sorted) {
                long[] last = spans.isEmpty() ? null : spans.getLast();
                if (last != null && c.minTime() - last[1] <= gap) {
                    last[1] = Math.max(last[1], c.maxTime());
                } else {
                    spans.add(new long[]{c.minTime(), c.maxTime()});
                }
            }
            return new Runs(spans);
        }

        boolean has(long t) {
            for (long[] s : spans) {
                if (t >= s[0] && t <= s[1]) {
                    return true;
                }
            }
            return false;
        }

        long overlap(long from, long to) {
            long sum = 0;
            for (long[] s : spans) {
                sum += Math.max(0, Math.min(to, s[1]) - Math.max(from, s[0]));
            }
            return sum;
        }
    }
}
