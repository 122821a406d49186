package io.varve.model;

/**
 * A condition on one label. Total on every string; a missing label is "". Immutable, safe for many threads.
 *
 * <p>
 * Regular expressions are RE2, anchored at both ends, with {@code .} matching newlines: {@code ^(?s:pattern)$}.
 */
public final class Matcher {
    /** The four kinds, in the order of the wire. */
    public enum Type {
        /** {@code =} */
        EQUAL("="),
        /** {@code !=} */
        NOT_EQUAL("!="),
        /** {@code =~} */
        REGEX("=~"),
        /** {@code !~} */
        NOT_REGEX("!~");

        private final String symbol;

        Type(String symbol) {
            this.symbol = symbol;
        }

        /** As written in PromQL. */
        public String symbol() {
            return symbol;
        }
    }

    private final Type type;
    private final String name;
    private final String value;
    private final LabelRegex regex;

    private Matcher(Type type, String name, String value, LabelRegex regex) {
        this.type = type;
        this.name = name;
        this.value = value;
        this.regex = regex;
    }

    /**
     * @throws InvalidRequestException where {@code value} is no valid RE2 pattern, in Go's words
     */
    public static Matcher of(Type type, String name, String value) {
        boolean re = type == Type.REGEX || type == Type.NOT_REGEX;
        return new Matcher(type, name, value, re ? LabelRegex.compile(value) : LabelRegex.NONE);
    }

    /** {@code name="value"}. */
    public static Matcher equal(String name, String value) {
        return of(Type.EQUAL, name, value);
    }

    /** The kind. */
    public Type type() {
        return type;
    }

    /** The label. */
    public String name() {
        return name;
    }

    /** What the label is compared with: a literal or a pattern. */
    public String value() {
        return value;
    }

    /** The compiled pattern; {@link LabelRegex#NONE} for the literal kinds. */
    public LabelRegex regex() {
        return regex;
    }

    /** Whether the label's value satisfies the condition. */
    public boolean matches(String labelValue) {
        return switch (type) {
            case EQUAL -> value.equals(labelValue);
            case NOT_EQUAL -> !value.equals(labelValue);
            case REGEX -> regex.matches(labelValue);
            case NOT_REGEX -> !regex.matches(labelValue);
        };
    }

    /** Whether a series without the label satisfies the condition. */
    public boolean matchesEmpty() {
        return matches("");
    }

    /** The opposite condition. */
    public Matcher inverse() {
        return new Matcher(switch (type) {
            case EQUAL -> Type.NOT_EQUAL;
            case NOT_EQUAL -> Type.EQUAL;
            case REGEX -> Type.NOT_REGEX;
            case NOT_REGEX -> Type.REGEX;
        }, name, value, regex);
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof Matcher m && m.type == type && m.name.equals(name) && m.value.equals(value);
    }

    @Override
    public int hashCode() {
        return (type.ordinal() * 31 + name.hashCode()) * 31 + value.hashCode();
    }

    /** As in PromQL: {@code name=~"value"}. */
    @Override
    public String toString() {
        return (LabelNames.isLegacy(name) ? name : GoQuote.quote(name)) + type.symbol + GoQuote.quote(value);
    }
}
