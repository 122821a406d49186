package io.varve.promql.parser;

/** Makes a tree ready for the times of a query. */
public final class Preprocessor {
    private Preprocessor() {
    }

    /**
     * Folds {@code start()}, {@code end()}, {@code range()} and {@code step()}, computes durations, resolves {@code @ start()} and
     * {@code @ end()} to timestamps and wraps what is the same at each step into {@link StepInvariantExpr}.
     *
     * @param stepMillis 0 for an instant query
     * @throws io.varve.model.InvalidRequestException where a duration cannot be computed
     */
    public static Expr preprocess(Expr expr, long startMillis, long endMillis, long stepMillis) {
        throw new UnsupportedOperationException(expr.toString() + startMillis + endMillis + stepMillis);
    }
}
