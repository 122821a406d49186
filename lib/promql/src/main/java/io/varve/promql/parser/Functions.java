package io.varve.promql.parser;

import static io.varve.promql.parser.ValueType.MATRIX;
import static io.varve.promql.parser.ValueType.SCALAR;
import static io.varve.promql.parser.ValueType.STRING;
import static io.varve.promql.parser.ValueType.VECTOR;

import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The functions of PromQL, as Prometheus 3.14 has them. */
public final class Functions {
    private static final Map<String, FunctionSignature> BY_NAME = table();

    private Functions() {
    }

    /** The signature, null where there is no such function. */
    public static @Nullable FunctionSignature get(String name) {
        return BY_NAME.get(name);
    }

    /** All of them by name. */
    public static Collection<FunctionSignature> all() {
        return BY_NAME.values();
    }

    private static Map<String, FunctionSignature> table() {
        Map<String, FunctionSignature> t = new TreeMap<>();
        each(t, "abs ceil floor exp sqrt ln log2 log10 sgn deg rad sin cos tan asin acos atan sinh cosh tanh asinh "
                + "acosh atanh", 0, VECTOR, false, VECTOR);
        each(t, "rate increase delta irate idelta deriv resets changes avg_over_time sum_over_time min_over_time "
                + "max_over_time count_over_time stddev_over_time stdvar_over_time last_over_time first_over_time "
                + "present_over_time absent_over_time", 0, VECTOR, false, MATRIX);
        each(t, "histogram_count histogram_sum histogram_avg histogram_stddev histogram_stdvar", 0, VECTOR, false, VECTOR);
        each(t, "minute hour day_of_week day_of_month day_of_year days_in_month month year", 1, VECTOR, false, VECTOR);
        each(t, "absent sort sort_desc timestamp", 0, VECTOR, false, VECTOR);
        each(t, "scalar", 0, SCALAR, false, VECTOR);
        each(t, "vector", 0, VECTOR, false, SCALAR);
        each(t, "time pi", 0, SCALAR, false);
        each(t, "round", 1, VECTOR, false, VECTOR, SCALAR);
        each(t, "clamp", 0, VECTOR, false, VECTOR, SCALAR, SCALAR);
        each(t, "clamp_min clamp_max", 0, VECTOR, false, VECTOR, SCALAR);
        each(t, "predict_linear", 0, VECTOR, false, MATRIX, SCALAR);
        each(t, "quantile_over_time", 0, VECTOR, false, SCALAR, MATRIX);
        each(t, "label_replace", 0, VECTOR, false, VECTOR, STRING, STRING, STRING, STRING);
        each(t, "label_join", -1, VECTOR, false, VECTOR, STRING, STRING, STRING);
        each(t, "histogram_fraction", 0, VECTOR, false, SCALAR, SCALAR, VECTOR);
        each(t, "histogram_quantile", 0, VECTOR, false, SCALAR, VECTOR);

        each(t, "start end range step", 0, SCALAR, true);
        each(t, "max_of min_of", 0, SCALAR, true, SCALAR, SCALAR);
        each(t, "info", 1, VECTOR, true, VECTOR, VECTOR);
        each(t, "double_exponential_smoothing", 0, VECTOR, true, MATRIX, SCALAR, SCALAR);
        each(t, "mad_over_time ts_of_first_over_time ts_of_last_over_time ts_of_min_over_time ts_of_max_over_time", 0, VECTOR, true,
                MATRIX);
        each(t, "sort_by_label sort_by_label_desc", -1, VECTOR, true, VECTOR, STRING);
        each(t, "histogram_quantiles", 9, VECTOR, true, VECTOR, STRING, SCALAR, SCALAR);
        each(t, "start_timestamp", 0, VECTOR, true, VECTOR);
        return Collections.unmodifiableMap(t);
    }

    private static void each(Map<String, FunctionSignature> into, String names, int variadic, ValueType returns, boolean experimental,
            ValueType... args) {
        for (String name : names.split(" ", -1)) {
            into.put(name, new FunctionSignature(name, List.of(args), variadic, returns, experimental));
        }
    }
}
