package io.varve.runtime.flags;

import java.util.function.Function;
import picocli.CommandLine.TypeConversionException;

/** Turns a parser's complaint into picocli's. */
final class Values {
    private Values() {
    }

    static <T> T orRefuse(String value, Function<String, T> parse) {
        try {
            return parse.apply(value);
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException(e.getMessage());
        }
    }

    /** Kingpin's enum: one of the allowed values or its words of refusal. */
    static String oneOf(String value, String... allowed) {
        for (String a : allowed) {
            if (a.equals(value)) {
                return value;
            }
        }
        throw new TypeConversionException("enum value must be one of " + String.join(",", allowed) + ", got '" + value + "'");
    }
}
