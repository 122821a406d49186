package io.varve.model;

import java.util.List;

/** A parsed regular expression, as far as full matches need it: groups capture nothing and repetition is neither greedy nor lazy. */
sealed interface RegexNode {
    /** Matches the empty string. */
    RegexNode EMPTY = new Concat(List.of());

    /**
     * One or more characters, none of them a lone surrogate.
     *
     * @param fold whether case is ignored; only where that makes a difference
     */
    record Literal(String text, boolean fold) implements RegexNode {
    }

    /** One code point of a set; the set may be empty. */
    record Chars(CharRanges set) implements RegexNode {
    }

    /** A condition on the place between two characters. */
    record Assert(Kind kind) implements RegexNode {
        /** The six conditions. */
        enum Kind {
            /** Start of the value. */
            BEGIN_TEXT,
            /** End of the value. */
            END_TEXT,
            /** Start of the value or behind a newline. */
            BEGIN_LINE,
            /** End of the value or before a newline. */
            END_LINE,
            /** Between an ASCII word character and something else. */
            WORD_BOUNDARY,
            /** Everywhere else. */
            NO_WORD_BOUNDARY
        }
    }

    /** One after the other. */
    record Concat(List<RegexNode> parts) implements RegexNode {
    }

    /** One of several. */
    record Alternate(List<RegexNode> parts) implements RegexNode {
    }

    /** Again and again; max −1 is without end. */
    record Repeat(RegexNode sub, int min, int max) implements RegexNode {
    }
}
