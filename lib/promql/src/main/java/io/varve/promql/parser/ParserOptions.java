package io.varve.promql.parser;

/**
 * Which parts of the language are open, named as Prometheus' feature flags.
 *
 * @param experimentalFunctions {@code promql-experimental-functions}
 * @param extendedRangeSelectors {@code promql-extended-range-selectors}: {@code anchored} and {@code smoothed}
 * @param binopFillModifiers {@code promql-binop-fill-modifiers}: {@code fill}, {@code fill_left}, {@code fill_right}
 * @param durationExpressions {@code promql-duration-expr}: on by default
 */
public record ParserOptions(boolean experimentalFunctions, boolean extendedRangeSelectors, boolean binopFillModifiers,
        boolean durationExpressions) {
    /** Those of a server without options. */
    public static final ParserOptions DEFAULT = new ParserOptions(false, false, false, true);
    /** Everything open. */
    public static final ParserOptions ALL = new ParserOptions(true, true, true, true);
}
