package io.varve.tools;

import io.varve.model.ErrorText;
import io.varve.model.GoFloat;
import io.varve.model.InvalidRequestException;
import io.varve.model.PromDuration;
import io.varve.promql.Engine;
import io.varve.promql.EngineOptions;
import io.varve.promql.Feature;
import io.varve.promql.PlanTree;
import io.varve.promql.QueryRequest;
import io.varve.promql.parser.Expr;
import io.varve.promql.parser.ParseException;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.promql.parser.Prettifier;
import io.varve.promql.test.PromqlTest;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code varve tools promql}: run test scripts, format, check and explain expressions. */
@Command(name = "promql", description = "Test, format, check and explain PromQL.", mixinStandardHelpOptions = true, synopsisSubcommandLabel = "COMMAND")
final class PromqlCommand implements Runnable {
    @Spec
    @Nullable
    CommandSpec spec;

    @Override
    public void run() {
        throw new CommandLine.ParameterException(line(spec), "Missing required subcommand");
    }

    private static CommandLine line(@Nullable CommandSpec spec) {
        if (spec == null) {
            throw new IllegalStateException("not run by picocli");
        }
        return spec.commandLine();
    }

    /** Which parts of the language are open. */
    static final class Features {
        @Option(names = "--enable-feature", paramLabel = "NAME", description = "Feature of Prometheus to switch on; can be repeated or separated by commas.")
        List<String> names = List.of();

        Set<Feature> features() {
            return Feature.parse(String.join(",", names));
        }

        ParserOptions options() {
            Set<Feature> on = features();
            return new ParserOptions(on.contains(Feature.EXPERIMENTAL_FUNCTIONS), on.contains(Feature.EXTENDED_RANGE_SELECTORS),
                    on.contains(Feature.BINOP_FILL_MODIFIERS), true);
        }
    }

    @Command(name = "test", description = "Run scripts in the language of Prometheus' promqltest.", mixinStandardHelpOptions = true)
    int test(@Parameters(paramLabel = "FILE", arity = "1..*", description = "Scripts.") List<Path> files) {
        PrintWriter out = line(spec).getOut();
        PrintWriter err = line(spec).getErr();
        PromqlTest.Report total = new PromqlTest.Report(0, List.of());
        boolean read = true;
        try (Engine engine = new Engine(PromqlTest.engineOptions())) {
            for (Path file : files) {
                String script;
                try {
                    script = Files.readString(file);
                } catch (CharacterCodingException e) {
                    err.println("cannot read " + file + ": it is not UTF-8");
                    read = false;
                    continue;
                } catch (IOException e) {
                    err.println("cannot read " + ErrorText.of(e));
                    read = false;
                    continue;
                }
                PromqlTest.Report report = PromqlTest.run(file.toString(), script, engine);
                report.failures().forEach(out::println);
                total = total.plus(report);
            }
        }
        out.println(total.passed() + " passed, " + total.failures().size() + " failed");
        return total.failures().isEmpty() && read ? 0 : 1;
    }

    @Command(name = "format", description = "Print an expression in lines of a readable length.", mixinStandardHelpOptions = true)
    int format(@Parameters(paramLabel = "EXPR", description = "The expression.") String query, @Mixin Features features) {
        Expr expr = parse(query, features);
        if (expr == null) {
            return 1;
        }
        line(spec).getOut().println(Prettifier.format(expr));
        return 0;
    }

    @Command(name = "check", description = "Say whether expressions are PromQL, and where they are not.", mixinStandardHelpOptions = true)
    int check(@Parameters(paramLabel = "EXPR", arity = "1..*", description = "The expressions.") List<String> queries,
            @Mixin Features features) {
        int code = 0;
        for (String query : queries) {
            Expr expr = parse(query, features);
            if (expr == null) {
                code = 1;
            } else {
                line(spec).getOut().println("valid: " + expr.type().described());
            }
        }
        return code;
    }

    @Command(name = "explain", description = "Print how an expression would be evaluated.", mixinStandardHelpOptions = true)
    int explain(@Parameters(paramLabel = "EXPR", description = "The expression.") String query, @Mixin Features features,
            @Option(names = "--start", paramLabel = "SECONDS", defaultValue = "0", description = "First step, Unix time.") String start,
            @Option(names = "--end", paramLabel = "SECONDS", defaultValue = "3600", description = "Last step, Unix time.") String end,
            @Option(names = "--step", paramLabel = "DURATION", defaultValue = "1m", description = "Distance of steps; 0 for an instant query at --start.") String step,
            @Option(names = "--json", description = "As JSON.") boolean json) {
        if (parse(query, features) == null) {
            return 1;
        }
        long from = millis(start, "--start");
        long stepMillis = stepMillis(step);
        QueryRequest request = stepMillis == 0
                ? QueryRequest.instant(query, from)
                : QueryRequest.range(query, from, millis(end, "--end"), stepMillis);
        try (Engine engine = new Engine(EngineOptions.DEFAULT.withFeatures(features.features()))) {
            PlanTree plan = engine.explain(request);
            line(spec).getOut().print(json ? plan.json() + "\n" : plan.text());
        }
        return 0;
    }

    private static long stepMillis(String step) {
        try {
            return PromDuration.parse(step);
        } catch (InvalidRequestException e) {
            throw new InvalidRequestException("--step: " + e.getMessage());
        }
    }

    private static long millis(String seconds, String flag) {
        try {
            double v = GoFloat.parse(seconds) * 1000;
            if (Math.abs(v) < Long.MAX_VALUE) {
                return Math.round(v);
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw new InvalidRequestException(flag + " must be a Unix time in seconds, got " + seconds);
    }

    /** The tree; null, and the error shown, where there is none. */
    private @Nullable Expr parse(String query, Features features) {
        try {
            return Parser.parse(query, features.options());
        } catch (ParseException e) {
            PrintWriter err = line(spec).getErr();
            err.println(e.getMessage());
            err.print(marked(query, e));
            return null;
        }
    }

    /** The line at fault with a caret below the place. */
    static String marked(String query, ParseException e) {
        String[] lines = query.split("\n", -1);
        String line = lines[Math.min(e.line(), lines.length) - 1];
        byte[] bytes = line.getBytes(StandardCharsets.UTF_8);
        String before = new String(bytes, 0, Math.min(bytes.length, e.column() - 1), StandardCharsets.UTF_8);
        StringBuilder sb = new StringBuilder(line).append('\n');
        // Tabs stay tabs so that the caret stands where the terminal shows the place.
        before.codePoints().forEach(c -> sb.append(c == '\t' ? '\t' : ' '));
        return sb.append("^\n").toString();
    }
}
