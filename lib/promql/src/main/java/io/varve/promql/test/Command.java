package io.varve.promql.test;

import com.google.re2j.Pattern;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a script says, one after the other. */
sealed interface Command {
    /** Line of the script, from 1. */
    int line();

    /** Forgets all samples. */
    record Clear(int line) implements Command {
    }

    /**
     * Loads samples.
     *
     * @param stepMillis distance of samples, the first at 0
     * @param nhcb whether classic histograms are also loaded as native ones
     */
    record Load(int line, long stepMillis, boolean nhcb, List<SeriesLine> series) implements Command {
    }

    /**
     * Evaluates an expression and compares.
     *
     * @param range whether from start to end by step; else at start
     * @param ordered whether the order of the result matters
     * @param mode what {@code eval_fail}, {@code eval_warn} or {@code eval_info} ask beside the checks, null for a plain eval
     * @param checks what the lines behind expect of errors and annotations
     * @param expected what is expected of the result
     */
    record Eval(int line, String expr, boolean range, long startMillis, long endMillis, long stepMillis, boolean ordered,
            @Nullable Check mode, List<Check> checks, Expected expected) implements Command {
    }

    /**
     * What an {@link Eval} expects to get: which of it counts is decided by what the result is.
     *
     * @param series with their values, where the result is a vector; none where a number is expected
     * @param window where the values of a range vector lie, null unless the script says it
     * @param scalar the number, null where series are expected
     * @param text the string, null where the script names none
     */
    record Expected(List<SeriesLine> series, @Nullable Window window, @Nullable Double scalar, @Nullable String text) {
    }

    /** Where values lie. */
    record Window(long startMillis, long endMillis, long stepMillis) {
    }

    /** What a {@link Check} is about. */
    enum Subject {
        /** The query fails. */
        FAIL,
        /** There is a warning. */
        WARN,
        /** There is no warning. */
        NO_WARN,
        /** There is an info. */
        INFO,
        /** There is no info. */
        NO_INFO
    }

    /**
     * What is expected of errors and annotations.
     *
     * @param exact the text, null where any or {@code pattern} will do
     * @param pattern must be found in the text, null where any or {@code exact} will do
     */
    record Check(Subject subject, @Nullable String exact, @Nullable Pattern pattern) {
        boolean matches(String text) {
            return (exact == null || exact.equals(text)) && (pattern == null || pattern.matcher(text).find());
        }

        @Override
        public String toString() {
            return exact != null ? "\"" + exact + "\"" : pattern != null ? "/" + pattern.pattern() + "/" : "any";
        }
    }
}
