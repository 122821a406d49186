package io.varve.model;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;

/**
 * A label matcher's regular expression: RE2 syntax, anchored at both ends, {@code .} matches newlines; the expression is read
 * before the anchors are added, so that an unclosed {@code \Q} quotes to its own end. Time is linear in the value whatever the
 * expression. Literals, sets of them, and literals with {@code .*} and {@code .+} between them are compared as text; all else runs
 * through an automaton that is built as values need it. Immutable, safe for many threads.
 */
public final class LabelRegex {
    /** Most literals that {@link #setMatches} names. */
    public static final int MAX_SET_MATCHES = 256;
    /** Stands where there is no pattern; matches nothing. */
    public static final LabelRegex NONE = new LabelRegex("", new RegexShape.Any(new RegexShape[0]), List.of(), "");

    private final String pattern;
    private final RegexShape shape;
    private final List<String> setMatches;
    private final String prefix;

    private LabelRegex(String pattern, RegexShape shape, List<String> setMatches, String prefix) {
        this.pattern = pattern;
        this.shape = shape;
        this.setMatches = setMatches;
        this.prefix = prefix;
    }

    /** @throws InvalidRequestException where {@code pattern} is not RE2, in Go's words */
    public static LabelRegex compile(String pattern) {
        RegexNode node = RegexEnds.withoutAnchors(RegexParser.parse(pattern));
        Set<String> literals = RegexShape.literals(node, MAX_SET_MATCHES);
        List<String> set = new ArrayList<>(literals == null ? Set.of() : literals);
        set.sort(Utf8Order::compare);
        return new LabelRegex(pattern, RegexShape.of(node), List.copyOf(set), RegexEnds.prefix(node));
    }

    /** A pattern that matches exactly these texts. */
    public static String anyOf(Collection<String> texts) {
        StringBuilder sb = new StringBuilder();
        String separator = "";
        for (String text : texts) {
            sb.append(separator);
            separator = "|";
            for (int i = 0; i < text.length(); i++) {
                char c = text.charAt(i);
                if ("\\.+*?()|[]{}^$".indexOf(c) >= 0) {
                    sb.append('\\');
                }
                sb.append(c);
            }
        }
        return sb.toString();
    }

    /**
     * Has to be called before a pattern of a user is given to re2j (which knows groups): re2j 1.8 looks for ever for other cases of U+1C80 to U+1C88
     * with the Unicode data of this JDK, and nothing can stop it.
     *
     * @throws InvalidRequestException where {@code pattern} is not RE2, in Go's words, or ignores the case of one of them
     */
    public static void checkForRe2j(String pattern) {
        if (RegexParser.foldsOldCyrillic(pattern)) {
            throw new InvalidRequestException(
                    "error parsing regexp: the case of U+1C80 to U+1C88 cannot be ignored here: `" + pattern + "`");
        }
    }

    /** The pattern as given, without anchors. */
    public String pattern() {
        return pattern;
    }

    /** Whether all of {@code value} matches. */
    public boolean matches(String value) {
        return shape.matches(value);
    }

    /**
     * The finite list of literals that the pattern stands for, sorted by UTF-8 bytes, without repetition, at most
     * {@value #MAX_SET_MATCHES}; empty where it is not known to be finite.
     */
    public List<String> setMatches() {
        return setMatches;
    }

    /** A literal that every match begins with, "" where none is known. */
    public String prefix() {
        return prefix;
    }

    /** Whether it is known to match every value but the empty one: {@code .+} and its like. */
    public boolean matchesEverythingButEmpty() {
        return shape instanceof RegexShape.NonEmpty;
    }

    /** Whether values are compared without an automaton. */
    boolean comparesText() {
        return !(shape instanceof RegexShape.Automaton);
    }
}
