package io.varve.promql.parser;

import java.util.List;
import java.util.Random;
import java.util.StringJoiner;

/** Makes valid expressions of every kind, from a seed: the texts, with spaces, comments and case as people write them. */
final class ExprTexts {
    private static final List<String> METRICS = List.of("m", "up", "http_requests_total", "job:rate:sum", "sum", "by", "offset", "start",
            "and",
            "fill", "step", "group", "smoothed", "min_of");
    private static final List<String> LABELS = List.of("a", "job", "instance", "le", "by", "on", "__type__", "sum", "\"utf8.label\"",
            "'é'");
    private static final List<String> STRINGS = List.of("\"\"", "\"x\"", "'single'", "`raw \\ \"`", "\"esc \\\" \\n \\u00e9 \\x41\"",
            "\"日本\"");
    private static final List<String> DURATIONS = List.of("5m", "1h30m", "90", "1d", "1.5", "250ms", "2w", "1y", "0x10", "1e2");

    private final Random random;

    ExprTexts(Random random) {
        this.random = random;
    }

    private boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }

    private <T> T any(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    private String space() {
        return switch (random.nextInt(12)) {
            case 0 -> "  ";
            case 1 -> "\n\t";
            case 2 -> " # why not\n";
            default -> " ";
        };
    }

    private String maybeSpace() {
        return chance(20) ? space() : "";
    }

    private String word(String keyword) {
        return chance(15) ? keyword.toUpperCase(java.util.Locale.ROOT) : keyword;
    }

    String expression(int depth) {
        return switch (random.nextInt(10)) {
            case 0, 1 -> scalar(depth);
            case 2 -> matrix(depth);
            case 3 -> any(STRINGS);
            default -> vector(depth);
        };
    }

    String vector(int depth) {
        if (depth <= 0) {
            return selector(true);
        }
        return switch (random.nextInt(13)) {
            case 0 -> "(" + maybeSpace() + vector(depth - 1) + maybeSpace() + ")";
            case 1 -> (chance(50) ? "-" : "+") + maybeSpace() + vector(depth - 1);
            case 2, 3 -> aggregation(depth);
            case 4, 5, 6 -> call(depth);
            case 7, 8 -> vectorBinary(depth);
            case 9 ->
                scalar(depth - 1) + space() + any(List.of("+", "*", "^", ">", "== bool", "%")) + space() + "(" + vector(depth - 1) + ")";
            case 10 -> "(" + vector(depth - 1) + ")" + space() + any(List.of("-", "/", "atan2", "<=", "!= bool", "</", ">/")) + space()
                    + scalar(depth - 1);
            default -> selector(true);
        };
    }

    private String vectorBinary(int depth) {
        String l = vector(depth - 1);
        String r = vector(depth - 1);
        if (chance(25)) {
            return l + space() + word(any(List.of("and", "or", "unless"))) + space() + (chance(40) ? matching() + space() : "") + r;
        }
        String op = any(List.of("+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", ">", "<=", ">=", "</", ">/"));
        if (chance(30)) {
            return l + space() + op + space() + r;
        }
        // What follows speaks of vectors; a bare left side could end in a number that binds tighter.
        StringBuilder sb = new StringBuilder("(").append(l).append(')').append(space()).append(op).append(space());
        if (List.of("==", "!=", "<", ">", "<=", ">=").contains(op) && chance(30)) {
            sb.append(word("bool")).append(space());
        }
        if (chance(50)) {
            sb.append(matching()).append(space());
            if (chance(40)) {
                sb.append(word(chance(50) ? "group_left" : "group_right")).append(chance(50) ? "()" : "(extra, \"ex.tra\")")
                        .append(space());
            }
        }
        if (chance(25)) {
            sb.append(any(
                    List.of("fill(1)", "fill_left (-2.5)", "fill_right(3)", "fill_left(1) fill_right(2)", "fill_right(0) fill_left(1e6)")))
                    .append(space());
        }
        return sb.append('(').append(r).append(')').toString();
    }

    private String matching() {
        return word(chance(50) ? "on" : "ignoring") + maybeSpace() + labels();
    }

    private String labels() {
        StringJoiner j = new StringJoiner("," + maybeSpace(), "(", chance(20) ? ")" : ")");
        int n = random.nextInt(3);
        for (int i = 0; i < n; i++) {
            j.add(any(LABELS));
        }
        return j.toString();
    }

    private String aggregation(int depth) {
        AggregateOp op = any(List.of(AggregateOp.values()));
        String arg = vector(depth - 1);
        if (op == AggregateOp.COUNT_VALUES) {
            arg = any(STRINGS) + "," + space() + arg;
        } else if (op.hasParameter()) {
            arg = scalar(depth - 1) + "," + space() + arg;
        }
        String grouping = word(chance(50) ? "by" : "without") + maybeSpace() + labels();
        String name = word(op.text());
        return switch (random.nextInt(3)) {
            case 0 -> name + "(" + arg + ")";
            case 1 -> name + space() + grouping + maybeSpace() + "(" + arg + ")";
            default -> name + "(" + arg + ")" + space() + grouping;
        };
    }

    private String call(int depth) {
        List<FunctionSignature> all = Functions.all().stream().filter(f -> f.returnType() == ValueType.VECTOR).toList();
        return call(any(all), depth);
    }

    private String call(FunctionSignature f, int depth) {
        int least = f.minArgs();
        int most = Math.min(f.maxArgs(), least + 3);
        int n = least + random.nextInt(most - least + 1);
        StringJoiner j = new StringJoiner("," + space(), f.name() + maybeSpace() + "(", maybeSpace() + ")");
        for (int i = 0; i < n; i++) {
            if (f.name().equals("info") && i == 1) {
                j.add(matchers(false));
                continue;
            }
            j.add(switch (f.argType(i)) {
                case SCALAR -> scalar(depth - 1);
                case VECTOR -> vector(depth - 1);
                case MATRIX -> matrix(depth - 1);
                case STRING -> any(STRINGS);
                case NONE -> "";
            });
        }
        return j.toString();
    }

    String scalar(int depth) {
        if (depth <= 0) {
            return number();
        }
        return switch (random.nextInt(8)) {
            case 0 -> "(" + scalar(depth - 1) + ")";
            case 1 -> "-" + scalar(depth - 1);
            case 2 -> scalar(depth - 1) + space() + any(List.of("+", "-", "*", "/", "%", "^", "atan2", "> bool", "== bool")) + space()
                    + scalar(depth - 1);
            case 3 -> call(any(Functions.all().stream().filter(f -> f.returnType() == ValueType.SCALAR).toList()), depth);
            default -> number();
        };
    }

    private String number() {
        return any(
                List.of("0", "1", "42", "1.5", ".25", "1e6", "1E-3", "0x1F", "017", "Inf", "-inf", "NaN", "5m", "1h30m", "1_000", "1e308"));
    }

    private String selector(boolean modifiers) {
        String s;
        if (chance(15)) {
            s = "{" + (chance(50) ? "\"my.metric\"" : "\"plain\", a=\"b\"") + "}";
        } else if (chance(15)) {
            s = matchers(true);
        } else {
            s = any(METRICS) + (chance(40) ? matchers(false) : "");
        }
        return modifiers ? s + (chance(10) ? space() + word("smoothed") : "") + shift() : s;
    }

    private String matchers(boolean needed) {
        StringJoiner j = new StringJoiner("," + maybeSpace(), "{", chance(10) && needed ? ",}" : "}");
        if (needed) {
            j.add("job=~\".+\"");
        }
        int n = random.nextInt(3);
        for (int i = 0; i < n; i++) {
            j.add(any(LABELS) + maybeSpace() + any(List.of("=", "!=", "=~", "!~")) + maybeSpace()
                    + any(List.of("\"x\"", "'a|b'", "`c.*`", "\"\"")));
        }
        return j.toString();
    }

    private String shift() {
        String at = chance(20) ? space() + "@" + space() + any(List.of("1", "-5.25", "1603774568.123", "start()", "END ( )", "1h")) : "";
        String offset = chance(25) ? space() + word("offset") + space() + offset() : "";
        return chance(50) ? at + offset : offset + at;
    }

    private String offset() {
        return switch (random.nextInt(6)) {
            case 0 -> "-" + any(DURATIONS);
            case 1 -> "(" + duration(2) + ")";
            case 2 -> any(List.of("step()", "range()", "-step()", "min_of(1m, step())", "-max_of(1, range())"));
            case 3 -> "-(" + duration(2) + ")";
            default -> any(DURATIONS);
        };
    }

    private String duration(int depth) {
        if (depth <= 0) {
            return any(DURATIONS);
        }
        return switch (random.nextInt(8)) {
            case 0 -> "(" + duration(depth - 1) + ")";
            case 1 -> duration(depth - 1) + " " + any(List.of("+", "-", "*", "^", "/", "%")) + " " + any(DURATIONS);
            case 2 -> "STEP()";
            case 3 -> "range()";
            case 4 -> "max_of(" + duration(depth - 1) + "," + duration(depth - 1) + ")";
            default -> any(DURATIONS);
        };
    }

    String matrix(int depth) {
        if (chance(25)) {
            return "(" + vector(depth - 1) + ")[" + any(DURATIONS) + (chance(30) ? " + " + duration(1) : "") + ":"
                    + (chance(50) ? duration(1) : "") + "]" + shift();
        }
        return selector(false) + "[" + duration(chance(30) ? 2 : 0) + "]"
                + (chance(15) ? space() + any(List.of("anchored", "smoothed")) : "") + shift();
    }
}
