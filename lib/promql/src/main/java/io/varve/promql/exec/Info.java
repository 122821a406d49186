package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.model.LabelRegex;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.TimeRange;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import io.varve.promql.plan.PlanNode;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * {@code info}: adds to each series the data labels of the info metrics of its target, which is what {@code instance} and {@code job}
 * name. Holds its input, because the targets are looked up all at once.
 */
final class Info extends Operator {
    private static final List<String> IDENTIFYING = List.of("instance", "job");
    private static final Set<String> NOT_DATA = Set.of("instance", "job", Labels.METRIC_NAME);

    private final List<Matcher> nameMatchers = new ArrayList<>();
    /** Conditions on data labels, by label. */
    private final Map<String, List<Matcher>> dataMatchers = new LinkedHashMap<>();
    private final long offset;
    private final @Nullable Long at;
    private final ArrayDeque<Row> ready = new ArrayDeque<>();
    private final DuplicateCheck duplicates;
    private long held;
    private boolean started;

    Info(QueryRun run, Grid grid, PlanNode.Call call, Operator input) {
        super(run, grid, "info", "", List.of(input));
        this.duplicates = new DuplicateCheck(memory, grid.count(), false);
        Shift shift = shift(call.inputs().getFirst(), new Shift(null, 0));
        this.offset = shift == null ? 0 : shift.offset;
        this.at = shift == null ? null : shift.at;
        if (call.inputs().size() > 1) {
            PlanNode.Select s = firstSelect(call.inputs().get(1));
            if (s != null) {
                for (Matcher m : s.matchers()) {
                    if (m.name().equals(Labels.METRIC_NAME)) {
                        nameMatchers.add(m);
                    } else {
                        dataMatchers.computeIfAbsent(m.name(), k -> new ArrayList<>()).add(m);
                    }
                }
            }
        }
        if (nameMatchers.isEmpty()) {
            nameMatchers.add(Matcher.equal(Labels.METRIC_NAME, "target_info"));
        }
    }

    /** When a selector reads its samples: at an instant or at each step, and how long before. */
    private record Shift(@Nullable Long at, long offset) {
        Shift then(@Nullable Long newAt, long more) {
            return newAt != null ? new Shift(newAt, more) : new Shift(at, offset + more);
        }
    }

    /** Of the first selector of an expression. */
    private static @Nullable Shift shift(PlanNode node, Shift above) {
        if (node instanceof PlanNode.Select s) {
            return above.then(s.atMillis(), s.offsetMillis());
        }
        Shift here = node instanceof PlanNode.Subquery q ? above.then(q.atMillis(), q.offsetMillis()) : above;
        for (PlanNode in : node.inputs()) {
            Shift s = shift(in, here);
            if (s != null) {
                return s;
            }
        }
        return null;
    }

    private static PlanNode.@Nullable Select firstSelect(PlanNode node) {
        if (node instanceof PlanNode.Select s) {
            return s;
        }
        for (PlanNode in : node.inputs()) {
            PlanNode.Select s = firstSelect(in);
            if (s != null) {
                return s;
            }
        }
        return null;
    }

    @Override
    @Nullable
    Row produce() {
        if (!started) {
            started = true;
            join();
        }
        return ready.poll();
    }

    /** One info series: its data labels and, by step, when its sample was taken. */
    private record InfoSeries(Labels labels, String metric, Map<String, String> data, long[] times) {
    }

    private void join() {
        List<Row> base = new ArrayList<>();
        Set<Labels> targets = new LinkedHashSet<>();
        for (Row r = inputs.getFirst().next(); r != null; r = inputs.getFirst().next()) {
            memory.reserve(r.bytes());
            run.hold(r.values.length);
            held += r.values.length;
            base.add(r);
            if (!isInfo(r.labels)) {
                Labels id = r.labels.only(IDENTIFYING);
                if (!id.isEmpty()) {
                    targets.add(id);
                }
            }
        }
        Map<Labels, List<InfoSeries>> infos = targets.isEmpty() ? Map.of() : fetch(targets);
        for (Row r : base) {
            if (isInfo(r.labels)) {
                emit(r);
            } else {
                enrich(r, infos.getOrDefault(r.labels.only(IDENTIFYING), List.of()));
            }
        }
    }

    private boolean isInfo(Labels labels) {
        String name = labels.metricName();
        for (Matcher m : nameMatchers) {
            if (!m.matches(name)) {
                return false;
            }
        }
        boolean positive = nameMatchers.stream().anyMatch(m -> m.type() == Matcher.Type.EQUAL || m.type() == Matcher.Type.REGEX);
        return positive || name.endsWith("_info") && name.length() > "_info".length();
    }

    private Map<Labels, List<InfoSeries>> fetch(Set<Labels> targets) {
        List<Matcher> matchers = new ArrayList<>(nameMatchers);
        if (nameMatchers.stream().noneMatch(m -> m.type() == Matcher.Type.EQUAL || m.type() == Matcher.Type.REGEX)) {
            matchers.add(Matcher.of(Matcher.Type.REGEX, Labels.METRIC_NAME, ".+_info"));
        }
        for (String name : IDENTIFYING) {
            Set<String> values = new TreeSet<>();
            for (Labels t : targets) {
                if (t.has(name)) {
                    values.add(t.get(name));
                }
            }
            if (values.isEmpty()) {
                continue;
            }
            matchers.add(Matcher.of(Matcher.Type.REGEX, name, LabelRegex.anyOf(values)));
        }
        dataMatchers.values().forEach(matchers::addAll);
        long first = (at == null ? grid.start() : at) - offset;
        long last = (at == null ? grid.end() : at) - offset;
        SelectHints hints = new SelectHints(new TimeRange(first - run.lookback + 1, last), grid.count() > 1 && at == null ? grid.step() : 0,
                0, 0, "info", false, List.of(), 0, false);
        Map<Labels, List<InfoSeries>> out = new HashMap<>();
        SampleBuffer samples = new SampleBuffer(64);
        try (SeriesSet set = run.select(hints, matchers)) {
            for (Series s = set.next(); s != null; s = set.next()) {
                run.context.check();
                Labels id = s.labels().only(IDENTIFYING);
                if (!targets.contains(id)) {
                    continue;
                }
                samples.clear();
                s.read(samples);
                memory.reserve(8L * grid.count() + 300);
                long[] times = times(samples);
                Map<String, String> data = new LinkedHashMap<>();
                s.labels().forEach((n, v) -> {
                    if (!NOT_DATA.contains(n) && (dataMatchers.isEmpty() || dataMatchers.containsKey(n))) {
                        data.put(n, v);
                    }
                });
                out.computeIfAbsent(id, k -> new ArrayList<>()).add(new InfoSeries(s.labels(), s.labels().metricName(), data, times));
            }
        }
        return out;
    }

    private long[] times(SampleBuffer samples) {
        long[] out = new long[grid.count()];
        int next = 0;
        for (int i = 0; i < out.length; i++) {
            long ref = (at == null ? grid.at(i) : at) - offset;
            while (next < samples.size && samples.timestamps[next] <= ref) {
                next++;
            }
            int s = next - 1;
            out[i] = Long.MIN_VALUE;
            if (s >= 0 && samples.timestamps[s] > ref - run.lookback) {
                FloatHistogram h = samples.histogram(s);
                if (h != null) {
                    throw QueryRun.failure("this should be an info metric, with float samples: histogram");
                }
                if (!SampleBuffer.isStale(samples.values[s])) {
                    out[i] = samples.timestamps[s];
                }
            }
        }
        return out;
    }

    /** Splits a row by which info series hold at which step, and adds their labels. */
    private void enrich(Row row, List<InfoSeries> infos) {
        run.context.check();
        Map<Labels, Row> out = new LinkedHashMap<>();
        InfoSeries[] holding = new InfoSeries[infos.size()];
        InfoSeries[] before = new InfoSeries[infos.size()];
        int countBefore = -1;
        Row target = null;
        for (int i = 0; i < row.values.length; i++) {
            if (!row.has(i)) {
                continue;
            }
            int count = holding(infos, i, holding);
            if (count != countBefore || !Arrays.equals(holding, 0, count, before, 0, count)) {
                Labels labels = enriched(row.labels, holding, count);
                target = labels == null ? null : out.computeIfAbsent(labels, l -> {
                    Row empty = Row.empty(l, row.dropName, row.values.length);
                    memory.reserve(empty.bytes());
                    return empty;
                });
                System.arraycopy(holding, 0, before, 0, count);
                countBefore = count;
            }
            if (target == null) {
                continue;
            }
            FloatHistogram h = row.histogram(i);
            if (h != null) {
                target.setHistogram(i, h);
            } else {
                target.values[i] = row.values[i];
            }
        }
        out.values().forEach(this::emit);
    }

    /** Which of them hold at a step: the newest of each metric, in the order in which metrics come. */
    private static int holding(List<InfoSeries> infos, int step, InfoSeries[] out) {
        int count = 0;
        for (InfoSeries info : infos) {
            if (info.times[step] == Long.MIN_VALUE) {
                continue;
            }
            int same = 0;
            while (same < count && !out[same].metric.equals(info.metric)) {
                same++;
            }
            if (same == count) {
                out[count++] = info;
            } else if (out[same].times[step] < info.times[step]) {
                out[same] = info;
            } else if (out[same].times[step] == info.times[step]) {
                throw QueryRun.failure("found duplicate series for info metric: existing " + out[same].labels + " @ "
                        + out[same].times[step] + ", new " + info.labels + " @ " + info.times[step]);
            }
        }
        return count;
    }

    /** Labels with those of info series added, null where matchers on them ask for one and there is none. */
    private @Nullable Labels enriched(Labels base, InfoSeries[] holding, int count) {
        if (count == 0) {
            return dataMatchers.values().stream().flatMap(List::stream).allMatch(Matcher::matchesEmpty) ? base : null;
        }
        Labels.Builder b = base.toBuilder();
        Map<String, String> added = new HashMap<>();
        for (int i = 0; i < count; i++) {
            holding[i].data.forEach((name, value) -> {
                if (base.has(name)) {
                    return;
                }
                String before = added.put(name, value);
                if (before != null && !before.equals(value)) {
                    throw QueryRun.failure("conflicting label: " + name);
                }
                b.set(name, value);
            });
        }
        return b.build();
    }

    private void emit(Row row) {
        duplicates.add(row);
        ready.add(row);
    }

    @Override
    void release() {
        run.drop(held);
        held = 0;
        ready.clear();
    }
}
