package io.varve.promql;

import io.varve.model.InvalidRequestException;
import java.util.EnumSet;
import java.util.Set;

/** What a server switches on with {@code --enable-feature}; names and defaults (all off) are Prometheus'. */
public enum Feature {
    /** Functions and aggregations that Prometheus calls experimental. */
    EXPERIMENTAL_FUNCTIONS("promql-experimental-functions"),
    /** Accepted, without effect: duration expressions are always on since Prometheus 3.14. */
    DURATION_EXPRESSIONS("promql-duration-expr"),
    /** Metric names are dropped at the end of a query and not by each function. */
    DELAYED_NAME_REMOVAL("promql-delayed-name-removal"),
    /** {@code anchored} and {@code smoothed}. */
    EXTENDED_RANGE_SELECTORS("promql-extended-range-selectors"),
    /** {@code fill}, {@code fill_left} and {@code fill_right}. */
    BINOP_FILL_MODIFIERS("promql-binop-fill-modifiers"),
    /** Sample counts per step in the statistics of a query. */
    PER_STEP_STATS("promql-per-step-stats"),
    /** Start timestamps tell counter resets. */
    USE_START_TIMESTAMPS("use-start-timestamps"),
    /** {@code __type__} and {@code __unit__} are metadata of the name. */
    TYPE_AND_UNIT_LABELS("type-and-unit-labels");

    private final String flag;

    Feature(String flag) {
        this.flag = flag;
    }

    /**
     * The features of a comma-separated list.
     *
     * @throws InvalidRequestException naming the one that is not known
     */
    public static Set<Feature> parse(String list) {
        EnumSet<Feature> out = EnumSet.noneOf(Feature.class);
        for (String part : list.split(",")) {
            String name = part.strip();
            if (name.isEmpty()) {
                continue;
            }
            Feature found = null;
            for (Feature f : values()) {
                if (f.flag.equals(name)) {
                    found = f;
                }
            }
            if (found == null) {
                throw new InvalidRequestException("unknown PromQL feature: " + name);
            }
            out.add(found);
        }
        return out;
    }
}
