package io.varve.runtime.flags;

import picocli.CommandLine.ITypeConverter;

/**
 * Reads a flag that takes one of a few words, as kingpin's enums; subclass it with the words:
 * {@code static final class Engine extends OneOf { Engine() { super("prometheus", "thanos"); } }}.
 */
public abstract class OneOf implements ITypeConverter<String> {
    private final String[] allowed;

    /** With the words that are allowed. */
    protected OneOf(String... allowed) {
        this.allowed = allowed.clone();
    }

    @Override
    public final String convert(String value) {
        return Values.oneOf(value, allowed);
    }
}
