package io.varve.model;

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A label matcher's regular expression: RE2 syntax, anchored at both ends, {@code .} matches newlines. Time is bounded on every
 * pattern and value. Immutable, safe for many threads.
 */
public final class LabelRegex {
    /** Stands where there is no pattern; matches nothing. */
    public static final LabelRegex NONE = new LabelRegex("", null);

    private final String pattern;
    private final @Nullable Pattern re2;

    private LabelRegex(String pattern, @Nullable Pattern re2) {
        this.pattern = pattern;
        this.re2 = re2;
    }

    /** @throws InvalidRequestException where {@code pattern} is not RE2, in Go's words */
    public static LabelRegex compile(String pattern) {
        try {
            return new LabelRegex(pattern, Pattern.compile("^(?s:" + pattern + ")$"));
        } catch (PatternSyntaxException e) {
            throw new InvalidRequestException("error parsing regexp: " + e.getMessage(), e);
        }
    }

    /** The pattern as given, without anchors. */
    public String pattern() {
        return pattern;
    }

    /** Whether all of {@code value} matches. */
    public boolean matches(String value) {
        return re2 != null && re2.matcher(value).find();
    }

    /** The finite list of literals that the pattern stands for, sorted; empty where it is not known to be finite. */
    public List<String> setMatches() {
        return List.of();
    }

    /** A literal that every match begins with, "" where none is known. */
    public String prefix() {
        return "";
    }
}
