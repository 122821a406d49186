package io.varve.querier.fanout;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.VarveException;
import io.varve.store.SeriesRequest;
import io.varve.store.ShardInfo;
import io.varve.store.StoreClient;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Finds out down to which resolution a store has to be asked so that old times are not empty: raw data is deleted first, from the old
 * end. Answers are kept for a few minutes. Safe for many threads.
 */
public final class ResolutionProbe {
    private static final List<Long> LEVELS = List.of(0L, 300_000L, 3_600_000L);
    private static final long DAY = 86_400_000L;
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

    /** The resolutions to ask for, finest first, so that data that exists at {@code minTime} is found. */
    List<Long> levels(QueryContext context, List<StoreRef> stores, List<Matcher> matchers, long minTime) {
        if (minTime > System.currentTimeMillis() - YOUNGEST) {
            return List.of(0L);
        }
        int deepest = 0;
        for (StoreRef s : stores) {
            if (s.minTime() < s.maxTime() - YOUNGEST && !s.component().equals("sidecar") && !s.component().equals("receive")) {
                deepest = Math.max(deepest, level(context, s, matchers, Math.max(minTime, s.minTime())));
            }
        }
        return LEVELS.subList(0, deepest + 1);
    }

    /** Streams lose their raw data each at its own time: the one that has to be asked for most coarsely decides. */
    private int level(QueryContext context, StoreRef s, List<Matcher> matchers, long minTime) {
        if (s.labelSets().isEmpty()) {
            return level(context, s, Labels.EMPTY, minTime);
        }
        if (s.labelSets().size() > MAX_STREAMS) {
            return LEVELS.size() - 1;
        }
        int deepest = 0;
        for (Labels stream : s.labelSets()) {
            if (deepest < LEVELS.size() - 1 && StoreRef.matches(stream, matchers)) {
                deepest = Math.max(deepest, level(context, s, stream, minTime));
            }
        }
        return deepest;
    }

    private int level(QueryContext context, StoreRef s, Labels stream, long minTime) {
        Key key = new Key(s.address(), stream, Math.floorDiv(minTime, DAY));
        Known k = known.get(key);
        if (k != null && System.nanoTime() - k.atNanos < KEEP_NANOS) {
            return k.level;
        }
        int level = 0;
        // A context of its own: what the probe reads is no part of the answer and of its coverage.
        try (QueryContext own = new QueryContext(Math.min(context.remainingMillis(), PROBE_MILLIS), context.budget())
                .tenant(context.tenant())) {
            QueryContext.Registration atEnd = context.onCancel(own::close);
            try {
                while (level < LEVELS.size() && !has(own, s, stream, minTime, LEVELS.get(level))) {
                    level++;
                }
            } finally {
                atEnd.remove();
            }
        } catch (VarveException e) {
            context.check();
            return 0; // the select itself will say what is wrong with the store
        }
        int found = level == LEVELS.size() ? 0 : level;
        if (known.size() > MAX_ENTRIES) {
            known.clear();
        }
        known.put(key, new Known(found, System.nanoTime()));
        return found;
    }

    private static boolean has(QueryContext context, StoreRef s, Labels stream, long minTime, long resolution) {
        List<Matcher> any = new ArrayList<>(s.narrowed());
        stream.forEach((name, value) -> any.add(Matcher.equal(name, value)));
        any.add(Matcher.of(Matcher.Type.NOT_EQUAL, "__name__", ""));
        SeriesRequest r = new SeriesRequest(minTime, minTime + DAY, any, resolution, Set.of(io.varve.store.Aggregate.COUNT), true, true,
                List.of(), List.of(), ShardInfo.NONE, 1, 0, SeriesRequest.Spans.ALL);
        try (StoreClient.SeriesStream answer = s.client().series(context, r)) {
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
