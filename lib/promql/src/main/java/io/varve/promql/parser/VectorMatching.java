package io.varve.promql.parser;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How the series of the two sides of a binary operation find each other.
 *
 * @param cardinality how many may meet
 * @param labels the labels compared ({@code on}) or left out of the comparison ({@code ignoring})
 * @param on whether {@code labels} are those compared
 * @param include labels that {@code group_left} or {@code group_right} copies from the "one" side
 * @param fillLeft value for a missing left side, null where none is filled in
 * @param fillRight value for a missing right side, null where none is filled in
 */
public record VectorMatching(Cardinality cardinality, List<String> labels, boolean on, List<String> include, @Nullable Double fillLeft,
        @Nullable Double fillRight) {
    /** How many may meet. */
    public enum Cardinality {
        /** One each. */
        ONE_TO_ONE("one-to-one"),
        /** Many left, one right: {@code group_left}. */
        MANY_TO_ONE("many-to-one"),
        /** One left, many right: {@code group_right}. */
        ONE_TO_MANY("one-to-many"),
        /** Set operations. */
        MANY_TO_MANY("many-to-many");

        private final String text;

        Cardinality(String text) {
            this.text = text;
        }

        /** As in the HTTP API. */
        public String text() {
            return text;
        }
    }

    /** One to one on all labels. */
    public static final VectorMatching DEFAULT = new VectorMatching(Cardinality.ONE_TO_ONE, List.of(), false, List.of(), null, null);

    /** The same with another cardinality. */
    public VectorMatching withCardinality(Cardinality c) {
        return new VectorMatching(c, labels, on, include, fillLeft, fillRight);
    }

    /** Whether anything is filled in. */
    public boolean fills() {
        return fillLeft != null || fillRight != null;
    }
}
