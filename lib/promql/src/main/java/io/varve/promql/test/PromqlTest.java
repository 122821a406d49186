package io.varve.promql.test;

import io.varve.model.Labels;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.VarveException;
import io.varve.promql.Engine;
import io.varve.promql.EngineOptions;
import io.varve.promql.Feature;
import io.varve.promql.QueryRequest;
import io.varve.promql.QueryResult;
import io.varve.promql.QueryValue;
import io.varve.promql.parser.Expr;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.promql.parser.Printer;
import io.varve.promql.test.Command.Check;
import io.varve.promql.test.Command.Eval;
import io.varve.promql.test.Command.Subject;
import io.varve.promql.test.Command.Window;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Runs scripts in the language of Prometheus' {@code promqltest}. Each evaluation is one case; a case that fails does not stop the
 * script. One thread at a time; the engine is the caller's.
 */
public final class PromqlTest {
    private static final long TIMEOUT_MILLIS = 100_000;
    private static final long MINUTE = 60_000;
    private static final Pattern TIME_CALL = Pattern.compile("(start|end|range|step)\\(\\)");

    private final Engine engine;
    private final TestStorage storage = new TestStorage();

    private PromqlTest(Engine engine) {
        this.engine = engine;
    }

    /** What the original runner sets: 10,000 samples, names dropped late, start timestamps used, the whole language open. */
    public static EngineOptions engineOptions() {
        return EngineOptions.DEFAULT.withMaxSamples(10_000)
                .withFeatures(EnumSet.of(Feature.EXPERIMENTAL_FUNCTIONS, Feature.EXTENDED_RANGE_SELECTORS, Feature.BINOP_FILL_MODIFIERS,
                        Feature.DELAYED_NAME_REMOVAL, Feature.USE_START_TIMESTAMPS));
    }

    /**
     * A case that did not hold.
     *
     * @param file name of the script
     * @param line of the evaluation, from 1
     * @param message what was expected and found
     */
    public record Failure(String file, int line, String message) {
        @Override
        public String toString() {
            return file + ":" + line + ": " + message;
        }
    }

    /**
     * What came of a script.
     *
     * @param passed cases that held
     * @param failures those that did not, in order
     */
    public record Report(int passed, List<Failure> failures) {
        /** Both together. */
        public Report plus(Report other) {
            List<Failure> all = new ArrayList<>(failures);
            all.addAll(other.failures);
            return new Report(passed + other.passed, List.copyOf(all));
        }
    }

    /**
     * Runs a script.
     *
     * @param file its name, for the report
     * @param script its text
     * @param engine made with {@link #engineOptions}, or with others where that is what is tested
     */
    public static Report run(String file, String script, Engine engine) {
        List<Command> commands;
        try {
            commands = ScriptReader.read(script);
        } catch (ScriptException e) {
            return new Report(0, List.of(new Failure(file, e.line(), e.text())));
        }
        PromqlTest test = new PromqlTest(engine);
        List<Failure> failures = new ArrayList<>();
        int passed = 0;
        for (Command command : commands) {
            try {
                switch (command) {
                    case Command.Clear c -> test.storage.clear();
                    case Command.Load l -> test.load(l);
                    case Eval e -> {
                        test.eval(e);
                        passed++;
                    }
                }
            } catch (ScriptException e) {
                failures.add(new Failure(file, e.line(), e.text()));
            } catch (Mismatch e) {
                failures.add(new Failure(file, command.line(), e.text()));
            }
        }
        return new Report(passed, List.copyOf(failures));
    }

    private void load(Command.Load load) {
        ClassicHistograms classic = new ClassicHistograms(load.line());
        // A label set that is repeated replaces what the load said of it before.
        Map<Labels, List<Value>> bySeries = new LinkedHashMap<>();
        Map<Labels, List<Value>> startTimes = new HashMap<>();
        SeriesLine pending = null;
        for (SeriesLine s : load.series()) {
            if (pending != null
                    && (s.startTimes() || !s.labels().equals(pending.labels()) || s.values().size() != pending.values().size())) {
                throw new ScriptException(pending.line(), "start timestamps of " + pending.labels()
                        + " must be followed by as many samples of the same series");
            }
            if (s.startTimes()) {
                pending = s;
                continue;
            }
            bySeries.put(s.labels(), s.values());
            if (pending == null) {
                startTimes.remove(s.labels());
            } else {
                startTimes.put(s.labels(), pending.values());
            }
            pending = null;
        }
        if (pending != null) {
            throw new ScriptException(pending.line(), "start timestamps of " + pending.labels() + " without samples");
        }
        // A load is stored as a whole or not at all.
        bySeries.forEach((labels, values) -> {
            if (labels.isEmpty()) {
                throw new ScriptException(load.line(), "a series without labels");
            }
            for (int i = 0; i < values.size(); i++) {
                Value v = values.get(i);
                if (v.omitted()) {
                    continue;
                }
                check(v.histogram() == null ? null : HistogramRules.broken(v.histogram()), labels, load);
                check(storage.refuses(labels, i * load.stepMillis(), v), labels, load);
                if (load.nhcb()) {
                    classic.add(labels, i * load.stepMillis(), v);
                }
            }
        });
        Map<Labels, Map<Long, Value>> histograms = classic.histograms();
        histograms.forEach((labels, values) -> values.forEach((time, v) -> check(storage.refuses(labels, time, v), labels, load)));
        bySeries.forEach((labels, values) -> {
            List<Value> starts = startTimes.getOrDefault(labels, List.of());
            for (int i = 0; i < values.size(); i++) {
                long time = i * load.stepMillis();
                Value v = values.get(i);
                if (!v.omitted()) {
                    long start = starts.isEmpty() || starts.get(i).omitted() ? 0 : time + (long) starts.get(i).number();
                    storage.add(labels, time, v, start);
                }
            }
        });
        histograms.forEach((labels, values) -> values.forEach((time, v) -> storage.add(labels, time, v, 0)));
    }

    private static void check(@Nullable String broken, Labels labels, Command.Load load) {
        if (broken != null) {
            throw new ScriptException(load.line(), broken + " (" + labels + ")");
        }
    }

    // ---- evaluation

    private void eval(Eval e) {
        Window window = e.expected().window();
        if (e.range()) {
            Window range = window == null ? new Window(e.startMillis(), e.endMillis(), e.stepMillis()) : window;
            run(e, e.expr(), range.startMillis(), range.endMillis(), range.stepMillis(), value -> {
                if (!(value instanceof QueryValue.Matrix m)) {
                    throw new Mismatch("expected a matrix, got a " + value.type());
                }
                Comparison.sorted(m);
                Comparison.matrix(e, m, range);
            });
            return;
        }
        boolean special = e.expected().text() != null || window != null;
        long time = window != null ? window.endMillis() : e.startMillis();
        instant(e, e.expr(), time, special);
        String pinned = pinned(e.expr(), time);
        if (pinned == null) {
            return;
        }
        long[] times = time == 0 ? new long[]{-1000, 0, 1000} : new long[]{-10 * time, 0, time / 5, time, 10 * time};
        for (long t : times) {
            try {
                instant(e, pinned, t, special);
            } catch (Mismatch m) {
                throw new Mismatch("as " + pinned + " at " + t + " ms: " + m.text());
            }
        }
    }

    /** The expression with {@code @} the time on all that has none; null where a function in it looks at the time. */
    private static @Nullable String pinned(String text, long time) {
        Expr expr = Parser.parse(text, ParserOptions.ALL);
        return AtTime.looksAtTime(expr) ? null : Printer.print(AtTime.pin(expr, time));
    }

    private void instant(Eval e, String text, long time, boolean special) {
        boolean failed = run(e, text, time, time, 0, value -> Comparison.instant(e, value));
        if (failed || special || TIME_CALL.matcher(text).find()) {
            return;
        }
        // The same as the middle of a range.
        try (QueryContext context = context(); QueryResult result = execute(context, text, time - MINUTE, time + MINUTE, MINUTE)) {
            if (e.ordered()) {
                return;
            }
            if (!(result.value() instanceof QueryValue.Matrix m)) {
                throw new Mismatch("expected a matrix of the range query, got a " + result.value().type());
            }
            Comparison.sorted(m);
            Comparison.middle(e, m, time);
        } catch (VarveException | Mismatch x) {
            throw new Mismatch("as a range query around " + time + " ms: " + x.getMessage());
        }
    }

    private interface Comparer {
        void compare(QueryValue value);
    }

    private static QueryContext context() {
        return new QueryContext(TIMEOUT_MILLIS, MemoryBudget.UNLIMITED);
    }

    private QueryResult execute(QueryContext context, String text, long start, long end, long step) {
        try {
            return engine.execute(context, storage,
                    step == 0 ? QueryRequest.instant(text, start) : QueryRequest.range(text, start, end, step));
        } catch (VarveException e) {
            throw e;
        } catch (RuntimeException e) {
            StackTraceElement[] trace = e.getStackTrace();
            throw new Mismatch("the engine broke: " + e + (trace.length == 0 ? "" : " at " + trace[0]));
        }
    }

    /** Runs a query and checks all that is expected; true where it failed as it should. */
    private boolean run(Eval e, String text, long start, long end, long step, Comparer comparer) {
        List<Check> fails = Stream.concat(Stream.ofNullable(e.mode()), e.checks().stream()).filter(c -> c.subject() == Subject.FAIL)
                .toList();
        try (QueryContext context = context(); QueryResult result = execute(context, text, start, end, step)) {
            if (!fails.isEmpty()) {
                throw new Mismatch("expected an error, got " + Comparison.show(result.value()));
            }
            annotations(e, Subject.WARN, Subject.NO_WARN, "warning", result.warnings());
            annotations(e, Subject.INFO, Subject.NO_INFO, "info", result.infos());
            comparer.compare(result.value());
            return false;
        } catch (VarveException x) {
            if (fails.isEmpty()) {
                throw new Mismatch("failed: " + x.getMessage());
            }
            for (Check fail : fails) {
                if (!fail.matches(x.getMessage())) {
                    throw new Mismatch("expected the error " + fail + ", got \"" + x.getMessage() + "\"");
                }
            }
            return true;
        }
    }

    private static void annotations(Eval e, Subject wanted, Subject unwanted, String kind, List<String> found) {
        if (e.mode() != null && e.mode().subject() == wanted && found.isEmpty()) {
            throw new Mismatch("expected the " + kind + " " + e.mode() + ", got " + found);
        }
        List<Check> checks = e.checks().stream().filter(c -> c.subject() == wanted).toList();
        if (!checks.isEmpty()) {
            for (Check c : checks) {
                if (found.stream().noneMatch(c::matches)) {
                    throw new Mismatch("expected the " + kind + " " + c + ", got " + found);
                }
            }
            for (String text : found) {
                if (checks.stream().noneMatch(c -> c.matches(text))) {
                    throw new Mismatch("unexpected " + kind + " \"" + text + "\", expected " + checks);
                }
            }
        }
        if (!found.isEmpty() && e.checks().stream().anyMatch(c -> c.subject() == unwanted)) {
            throw new Mismatch("expected no " + kind + ", got " + found);
        }
    }

    /** Two floats that may differ by one in a million. */
    static boolean same(double a, double b) {
        boolean staleA = SampleBuffer.isStale(a);
        if (staleA || SampleBuffer.isStale(b)) {
            return staleA && SampleBuffer.isStale(b);
        }
        if (a == b || Double.isNaN(a) && Double.isNaN(b)) {
            return true;
        }
        double sum = Math.abs(a) + Math.abs(b);
        double difference = Math.abs(a - b);
        if (a == 0 || b == 0 || sum < Double.MIN_NORMAL) {
            return difference < 1e-6 * Double.MIN_NORMAL;
        }
        return difference / Math.min(sum, Double.MAX_VALUE) < 1e-6;
    }

    /** A result that is not the one expected. */
    static final class Mismatch extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Mismatch(String message) {
            super(message);
        }

        String text() {
            String message = getMessage();
            return message == null ? "" : message;
        }
    }
}
