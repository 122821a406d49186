package io.varve.promql.test;

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import io.varve.model.InvalidRequestException;
import io.varve.model.PromDuration;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.promql.parser.StringLiteral;
import io.varve.promql.test.Command.Check;
import io.varve.promql.test.Command.Expected;
import io.varve.promql.test.Command.Subject;
import io.varve.promql.test.Command.Window;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import org.jspecify.annotations.Nullable;

/** Reads scripts. A block ends at an empty line; a line that starts with {@code #} is one. */
final class ScriptReader {
    private static final java.util.regex.Pattern LOAD = java.util.regex.Pattern.compile("^load(?:_(with_nhcb))?\\s+(.+?)$");
    private static final java.util.regex.Pattern INSTANT = java.util.regex.Pattern
            .compile("^eval(?:_(fail|warn|ordered|info))?\\s+instant\\s+(?:at\\s+(.+?))?\\s+(.+)$");
    private static final java.util.regex.Pattern RANGE = java.util.regex.Pattern
            .compile("^eval(?:_(fail|warn|info))?\\s+range\\s+from\\s+(.+)\\s+to\\s+(.+)\\s+step\\s+(.+?)\\s+(.+)$");
    private static final java.util.regex.Pattern EXPECT = java.util.regex.Pattern
            .compile("^expect\\s+(ordered|fail|warn|no_warn|info|no_info)(?:\\s+(regex|msg):(.+))?$");
    private static final java.util.regex.Pattern EXPECT_RANGE = java.util.regex.Pattern
            .compile("^expect range vector\\s+from\\s+(.+)\\s+to\\s+(.+)\\s+step\\s+(.+)$");
    private static final java.util.regex.Pattern EXPECT_STRING = java.util.regex.Pattern.compile("^expect string\\s+(.+)$");

    private final String[] lines;
    private int next;

    private ScriptReader(String[] lines) {
        this.lines = lines;
    }

    /** @throws ScriptException where the script breaks a rule */
    static List<Command> read(String script) {
        String[] lines = script.split("\n", -1);
        for (int i = 0; i < lines.length; i++) {
            lines[i] = lines[i].strip();
            if (lines[i].startsWith("#")) {
                lines[i] = "";
            }
        }
        return new ScriptReader(lines).read();
    }

    private List<Command> read() {
        List<Command> commands = new ArrayList<>();
        while (next < lines.length) {
            String line = lines[next];
            if (line.isEmpty()) {
                next++;
                continue;
            }
            String word = line.split("\\s+", 2)[0].toLowerCase(Locale.ROOT);
            if (word.equals("clear")) {
                commands.add(new Command.Clear(++next));
            } else if (word.startsWith("load")) {
                commands.add(load(line));
            } else if (word.startsWith("eval")) {
                commands.add(eval(line));
            } else {
                throw new ScriptException(next + 1, "invalid command \"" + line + "\"");
            }
        }
        return commands;
    }

    private Command.Load load(String line) {
        int at = ++next;
        Matcher m = LOAD.matcher(line);
        if (!m.find()) {
            throw new ScriptException(at, "invalid load command. (load[_with_nhcb] <step:duration>)");
        }
        long step = duration(m.group(2), at, "step");
        List<SeriesLine> series = new ArrayList<>();
        while (next < lines.length && !lines[next].isEmpty()) {
            series.add(SeriesReader.read(lines[next], next + 1));
            next++;
        }
        return new Command.Load(at, step, m.group(1) != null, series);
    }

    private static long duration(String text, int line, String what) {
        try {
            return PromDuration.parse(text);
        } catch (InvalidRequestException e) {
            throw new ScriptException(line, "invalid " + what + " definition \"" + text + "\": " + e.getMessage());
        }
    }

    private Command.Eval eval(String line) {
        int at = ++next;
        Matcher instant = INSTANT.matcher(line);
        Matcher range = RANGE.matcher(line);
        String mode;
        String expr;
        long start;
        long end;
        long step = 0;
        boolean isRange = false;
        if (instant.find()) {
            mode = instant.group(1);
            start = duration(instant.group(2) == null ? "" : instant.group(2), at, "timestamp");
            end = start;
            expr = instant.group(3);
        } else if (range.find()) {
            isRange = true;
            mode = range.group(1);
            start = duration(range.group(2), at, "start time");
            end = duration(range.group(3), at, "end time");
            step = duration(range.group(4), at, "step");
            expr = range.group(5);
            if (end < start) {
                throw new ScriptException(at, "end of the range is before its start");
            }
            if (step <= 0) {
                throw new ScriptException(at, "step must be greater than 0");
            }
        } else {
            throw new ScriptException(at,
                    "invalid evaluation command. Must be either 'eval[_fail|_warn|_ordered|_info] instant [at <offset:duration>] <query>'"
                            + " or 'eval[_fail|_warn|_info] range from <from> to <to> step <step> <query>'");
        }
        try {
            Parser.parse(expr, ParserOptions.ALL);
        } catch (InvalidRequestException e) {
            throw new ScriptException(at, e.getMessage());
        }
        return new Expectations(at, expr, isRange, start, end, step, mode == null ? "" : mode).read();
    }

    /** The lines after an eval. */
    private final class Expectations {
        private final int at;
        private final String expr;
        private final boolean range;
        private final long start;
        private final long end;
        private final long step;
        private boolean ordered;
        private @Nullable Check mode;
        private final List<Check> checks = new ArrayList<>();
        private final List<SeriesLine> series = new ArrayList<>();
        private @Nullable Window window;
        private @Nullable Double scalar;
        private @Nullable String string;

        Expectations(int at, String expr, boolean range, long start, long end, long step, String mode) {
            this.at = at;
            this.expr = expr;
            this.range = range;
            this.start = start;
            this.end = end;
            this.step = step;
            this.ordered = mode.equals("ordered");
            this.mode = switch (mode) {
                case "fail" -> new Check(Subject.FAIL, null, null);
                case "warn" -> new Check(Subject.WARN, null, null);
                case "info" -> new Check(Subject.INFO, null, null);
                default -> null;
            };
        }

        Command.Eval read() {
            boolean fails = mode != null && mode.subject() == Subject.FAIL;
            while (next < lines.length && !lines[next].isEmpty()) {
                String line = lines[next++];
                if (fails && (line.startsWith("expected_fail_message") || line.startsWith("expected_fail_regexp"))) {
                    boolean regex = line.startsWith("expected_fail_regexp");
                    String text = line.substring(regex ? 20 : 21).strip();
                    // An empty message is none.
                    mode = new Check(Subject.FAIL, regex || text.isEmpty() ? null : text, regex ? pattern(text) : null);
                    break;
                }
                if (!expectation(line)) {
                    break;
                }
            }
            return new Command.Eval(at, expr, range, start, end, step, ordered, mode, List.copyOf(checks),
                    new Expected(List.copyOf(series), window, scalar, string));
        }

        /** Reads a line; false where it ends the block: a command may then follow without an empty line. */
        private boolean expectation(String line) {
            Matcher m = EXPECT_RANGE.matcher(line);
            if (m.find()) {
                window = new Window(duration(m.group(1), next, "start time"), duration(m.group(2), next, "end time"),
                        duration(m.group(3), next, "step"));
                if (window.endMillis() < window.startMillis()) {
                    throw new ScriptException(next, "end of the range vector is before its start");
                }
                return true;
            }
            m = EXPECT_STRING.matcher(line);
            if (m.find()) {
                string = text(m.group(1).strip());
                return true;
            }
            // With a tab behind it, it is the name of a series.
            if (line.equals("expect") || line.startsWith("expect ")) {
                check(line);
                return true;
            }
            Double number = number(line);
            if (number != null) {
                scalar = number;
                return false;
            }
            SeriesLine s = SeriesReader.read(line, next);
            if (s.startTimes()) {
                throw new ScriptException(next, "results have no start timestamps");
            }
            if (!range && window == null && s.values().size() > 1) {
                throw new ScriptException(next, "expecting multiple values in instant evaluation not allowed");
            }
            series.add(s);
            return true;
        }

        private void check(String line) {
            Matcher m = EXPECT.matcher(line);
            if (!m.find()) {
                throw new ScriptException(next, "invalid expect statement, must match `expect <type> <match_type> <string>` format");
            }
            String kind = m.group(1);
            String how = m.group(2);
            String text = m.group(3) == null ? "" : m.group(3).strip();
            // Read also where it does not matter, behind "ordered": it must be one.
            Pattern pattern = "regex".equals(how) ? pattern(text) : null;
            if (kind.equals("ordered")) {
                ordered = true;
                return;
            }
            checks.add(new Check(Subject.valueOf(kind.toUpperCase(Locale.ROOT)), "msg".equals(how) ? text : null, pattern));
            exclude(Subject.WARN, Subject.NO_WARN);
            exclude(Subject.INFO, Subject.NO_INFO);
            if (checks.stream().filter(c -> c.subject() == Subject.FAIL).count() > 1) {
                throw new ScriptException(next, "an evaluation can fail once");
            }
        }

        private void exclude(Subject one, Subject two) {
            if (checks.stream().anyMatch(c -> c.subject() == one) && checks.stream().anyMatch(c -> c.subject() == two)) {
                throw new ScriptException(next, "invalid expectation: " + one.name().toLowerCase(Locale.ROOT) + " and "
                        + two.name().toLowerCase(Locale.ROOT) + " together");
            }
        }

        private Pattern pattern(String regex) {
            try {
                return Pattern.compile(regex);
            } catch (PatternSyntaxException e) {
                throw new ScriptException(next, "invalid regular expression: " + e.getMessage());
            }
        }

        private String text(String quoted) {
            try {
                if (Parser.parse(quoted, ParserOptions.ALL) instanceof StringLiteral s) {
                    return s.value();
                }
            } catch (InvalidRequestException e) {
                throw new ScriptException(next, e.getMessage());
            }
            throw new ScriptException(next, "expected a quoted string, found " + quoted);
        }
    }

    private static @Nullable Double number(String line) {
        try {
            return Parser.number(line);
        } catch (NumberFormatException e) {
            return null;
        }
    }
}
