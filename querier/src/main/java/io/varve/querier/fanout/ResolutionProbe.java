package io.varve.querier.fanout;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.VarveException;
import io.varve.store.Aggregate;
import io.varve.store.SeriesRequest;
import io.varve.store.ShardInfo;
import io.varve.store.StoreClient;
import io.varve.store.StoreInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Finds out down to which resolution a store has to be asked so that old times are not empty: raw data is deleted first, from the old
 * end. What is asked for too coarsely costs bytes, what is not asked for coarsely enough is a hole; in doubt it is the former. Answers are kept
 * for a few minutes. Safe for many threads.
 */
public final class ResolutionProbe {
    private static final List<Long> LEVELS = List.of(0L, 300_000L, 3_600_000L);
    private static final int COARSEST = LEVELS.size() - 1;
    private static final long DAY = 86_400_000L;
    /** A stream that is alive has a chunk in any span as long as this. */
    private static final long INSTANT = 300_000L;
    /** By how much the span that is looked through for the beginning of a stream grows. */
    private static final int GROWTH = 8;
    /** Nothing younger than this is ever downsampled. */
    private static final long YOUNGEST = 40 * 3_600_000L;
    private static final long KEEP_NANOS = 300_000_000_000L;
    private static final int MAX_ENTRIES = 10_000;
    private static final long PROBE_MILLIS = 5_000;

    /** Beyond this many streams of one store it is cheaper to ask for everything. */
    private static final int MAX_STREAMS = 32;

    private record Key(String address, Labels stream, long day) {
    }

    private record Known(int level, long atNanos) {
    }

    private final Map<Key, Known> known = new ConcurrentHashMap<>();

    /** A probe that knows nothing yet. */
    public ResolutionProbe() {
    }

    /** The resolutions to ask for, finest first, so that data that exists at {@code minTime} or begins later is found. */
    List<Long> levels(QueryContext context, List<StoreRef> stores, List<Matcher> matchers, long minTime) {
        long now = System.currentTimeMillis();
        if (minTime > now - YOUNGEST) {
            return List.of(0L);
        }
        int deepest = 0;
        for (StoreRef s : stores) {
            if (s.minTime() < s.maxTime() - YOUNGEST && !s.component().equals("sidecar") && !s.component().equals("receive")) {
                deepest = Math.max(deepest, level(context, s, matchers, minTime, Math.min(now, s.maxTime())));
            }
        }
        return LEVELS.subList(0, deepest + 1);
    }

    /** Streams lose their raw data each at its own time: the one that has to be asked for most coarsely decides. */
    private int level(QueryContext context, StoreRef s, List<Matcher> matchers, long minTime, long end) {
        if (s.labelSets().isEmpty()) {
            return level(context, s, Labels.EMPTY, minTime, end);
        }
        if (s.labelSets().size() > MAX_STREAMS) {
            return COARSEST;
        }
        int deepest = 0;
        for (Labels stream : s.labelSets()) {
            if (deepest < COARSEST && StoreRef.matches(stream, matchers)) {
                deepest = Math.max(deepest, level(context, s, stream, minTime, end));
            }
        }
        return deepest;
    }

    private int level(QueryContext context, StoreRef s, Labels stream, long minTime, long end) {
        // From the beginning of the day, so that the answer is right for all of it.
        long day = Math.floorDiv(minTime, DAY);
        Key key = new Key(s.address(), stream, day);
        Known k = known.get(key);
        if (k != null && System.nanoTime() - k.atNanos < KEEP_NANOS) {
            return k.level;
        }
        int level;
        // A context of its own: what the probe reads is no part of the answer and of its coverage.
        try (QueryContext own = new QueryContext(Math.min(context.remainingMillis(), PROBE_MILLIS), context.budget())
                .tenant(context.tenant())) {
            QueryContext.Registration atEnd = context.onCancel(own::close);
            try {
                // Nothing was measured before 1970.
                OptionalLong start = begin(s, stream, Math.max(0, Math.min(minTime, day * DAY)));
                level = start.isEmpty() || start.getAsLong() > end ? 0 : new Search(own, s, stream).level(start.getAsLong(), end);
            } finally {
                atEnd.remove();
            }
        } catch (VarveException e) {
            context.check();
            return COARSEST; // the select itself will say what is wrong with the store, if anything is
        }
        if (known.size() > MAX_ENTRIES) {
            known.clear();
        }
        known.put(key, new Known(level, System.nanoTime()));
        return level;
    }

    /** From when on, at {@code time} or after it, the store says that it may have something of the stream. */
    private static OptionalLong begin(StoreRef s, Labels stream, long time) {
        List<StoreInfo.TsdbInfo> spans = s.tsdbs().stream().filter(t -> t.labels().equals(stream)).toList();
        return spans.isEmpty()
                ? OptionalLong.of(Math.max(time, s.minTime()))
                : spans.stream().filter(t -> t.maxTime() >= time).mapToLong(t -> Math.max(time, t.minTime())).min();
    }

    /** Asks one store about one stream. */
    private record Search(QueryContext context, StoreRef store, Labels stream) {
        /** The finest level that has what is there at {@code start}, or where the stream begins after it. */
        int level(long start, long end) {
            int here = levelAt(start);
            if (here >= 0) {
                return here;
            }
            long before = start;
            long after = Math.min(end, start + INSTANT * GROWTH);
            while (!has(before, after, COARSEST)) {
                if (after >= end) {
                    return 0;
                }
                long wide = (after - before) * GROWTH;
                before = after;
                after = Math.min(end, before + wide);
            }
            // It begins between the two.
            while (after - before > INSTANT) {
                long middle = before + (after - before) / 2;
                if (has(before, middle, COARSEST)) {
                    after = middle;
                } else {
                    before = middle;
                }
            }
            return Math.max(0, levelAt(before));
        }

        /** The finest level that has something at a time, negative where none has. */
        private int levelAt(long time) {
            if (has(time, time + INSTANT, 0)) {
                return 0;
            }
            if (!has(time, time + INSTANT, COARSEST)) {
                return -1;
            }
            return has(time, time + INSTANT, 1) ? 1 : COARSEST;
        }

        private boolean has(long from, long to, int level) {
            List<Matcher> any = new ArrayList<>(store.narrowed());
            stream.forEach((name, value) -> any.add(Matcher.equal(name, value)));
            any.add(Selectors.EVERYTHING);
            SeriesRequest r = new SeriesRequest(from, to, any, LEVELS.get(level), Set.of(Aggregate.COUNT), true, true, List.of(), List.of(),
                    ShardInfo.NONE, 1, 0, SeriesRequest.Spans.ALL);
            try (StoreClient.SeriesStream answer = store.client().series(context, r)) {
                StoreClient.SeriesStream.Frame f;
                while ((f = answer.next(PROBE_MILLIS)) != null) {
                    if (f instanceof StoreClient.SeriesStream.Frame.OfSeries) {
                        return true;
                    }
                }
                return false;
            }
        }
    }
}
