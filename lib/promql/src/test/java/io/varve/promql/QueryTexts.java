package io.varve.promql;

import java.util.Random;

/** Random queries over {@link MemorySource#random}: every function and operator that says the same of one instant as of many. */
final class QueryTexts {
    private final Random random;

    QueryTexts(Random random) {
        this.random = random;
    }

    private String pick(String... of) {
        return of[random.nextInt(of.length)];
    }

    private String selector() {
        String s = pick("requests_total", "temperature", "latency", "limit", "wait_bucket", "{__name__=~\"limit|temperature\"}",
                "{__name__=~\"latency|temperature\"}", "{__name__=~\"wait_bucket|latency\"}");
        return s.endsWith("}") ? s : s + pick("", "", "{job=\"api\"}", "{instance=~\"i[01]\"}", "{job!=\"api\"}");
    }

    private String shift() {
        return pick("", "", "", "", " offset 1m", " offset -30s", " @ 1700000300", " @ 1700000123.456 offset 17s");
    }

    private String range(int depth, String edges) {
        if (depth > 1 && random.nextInt(3) == 0) {
            return "(" + vector(depth - 2) + ")[" + pick("2m", "5m", "330s", "10m") + ":" + pick("30s", "1m", "17s", "") + "]" + shift();
        }
        return selector() + "[" + pick("20s", "1m", "5m", "10m", "1s", "15s") + "]" + edges + shift();
    }

    private String range(int depth) {
        return range(depth, "");
    }

    private String scalar(int depth) {
        if (depth <= 0 || random.nextInt(3) > 0) {
            return pick("2", "0.5", "-1", "time()", "NaN", "Inf", "0", "1e3", "3", "60");
        }
        return pick("scalar(" + vector(depth - 1) + ")", "(time() % 7)", "(time() / 1e9)", "-(" + scalar(depth - 1) + ")",
                "max_of(" + scalar(depth - 1) + ", " + scalar(depth - 1) + ")");
    }

    private String grouping() {
        return pick("", " by (job)", " by (instance)", " without (job)", " without (instance, le)", " by (__name__)", " by (nothing)");
    }

    /** A vector of so many levels. */
    String vector(int depth) {
        if (depth <= 0) {
            return selector() + shift();
        }
        int below = depth - 1;
        return switch (random.nextInt(14)) {
            case 0 -> selector() + pick("", "", " smoothed") + shift();
            case 1 -> pick("rate(", "increase(", "delta(") + range(depth, pick("", "", " anchored", " smoothed")) + ")";
            case 2, 3 -> pick("irate", "idelta", "sum_over_time", "avg_over_time", "min_over_time", "max_over_time", "count_over_time",
                    "stddev_over_time", "stdvar_over_time", "last_over_time", "first_over_time", "present_over_time", "deriv",
                    "mad_over_time", "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_min_over_time", "ts_of_max_over_time",
                    "absent_over_time", "changes", "resets") + "(" + range(depth) + ")";
            case 4 -> pick("quantile_over_time(" + scalar(below) + ", " + range(depth) + ")",
                    "predict_linear(" + range(depth) + ", " + scalar(below) + ")",
                    "double_exponential_smoothing(" + range(depth) + ", " + pick("0.3", "0.9") + ", " + pick("0.5", "0.1") + ")");
            case 5, 6 -> pick("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar") + grouping() + " (" + vector(below) + ")";
            // Which of equal ones stays follows the order of series: only of stored ones is that the same.
            case 7 -> pick("topk", "bottomk", "limitk") + grouping() + " (" + pick("1", "3", "0", "(time() % 4)", "100") + ", " + selector()
                    + shift() + ")";
            case 8 -> pick("quantile" + grouping() + " (" + scalar(below) + ", " + vector(below) + ")",
                    "limit_ratio (" + pick("0.5", "-0.5", "1", "(time() % 5) / 2 - 1") + ", " + vector(below) + ")",
                    "count_values" + grouping() + " (\"v\", round(" + vector(below) + "))");
            case 9 -> pick("abs", "ceil", "exp", "sqrt", "ln", "log2", "sgn", "sin", "histogram_count", "histogram_sum", "histogram_avg",
                    "histogram_stddev", "timestamp", "absent", "minute", "month", "-", "sort") + "(" + vector(below) + ")";
            case 10 -> pick("clamp(" + vector(below) + ", " + scalar(below) + ", " + scalar(below) + ")",
                    "round(" + vector(below) + ", " + scalar(below) + ")", "vector(" + scalar(below) + ")",
                    "histogram_quantile(" + scalar(below) + ", " + vector(below) + ")",
                    "histogram_fraction(" + scalar(below) + ", " + scalar(below) + ", " + vector(below) + ")",
                    "histogram_quantiles(" + vector(below) + ", \"q\", 0.1, 0.9)",
                    "label_join(" + vector(below) + ", \"x\", \"-\", \"job\", \"instance\")",
                    "label_replace(" + vector(below) + ", \"" + pick("job", "x", "__name__", "instance") + "\", \"" + pick("$1", "y", "")
                            + "\", \"" + pick("job", "instance", "__name__") + "\", \"" + pick("(.*)", "a(.*)", "i[01]") + "\")");
            case 11 ->
                "(" + vector(below) + ") " + pick("+", "-", "*", "/", "%", "^", "atan2", ">", "<=", "== bool", "!=", "</", ">/") + " "
                        + scalar(below);
            case 12 -> scalar(0) + " " + pick("+", "-", "*", "/", "> bool", "<") + " (" + vector(below) + ")";
            default -> "(" + vector(below) + ") "
                    + pick("+", "-", "*", "/", ">", "and", "or", "or", "unless", "+ on (job, instance)", "/ ignoring (le)",
                            "* on (job) group_left ()", "+ on (job, instance) group_right (le)", "and on (job)", "unless on (instance)",
                            "or on (job)", ">= bool", "+ on (job, instance) fill (1)", "- on (job) group_left () fill_right (3)", ">/",
                            "==")
                    + " (" + vector(below) + ")";
        };
    }
}
