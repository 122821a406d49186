package io.varve.runtime.flags;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads a whole number of at least 0 into a {@code long}; Go's message for what is none. */
public final class Unsigned implements ITypeConverter<Long> {
    /** For picocli. */
    public Unsigned() {
    }

    @Override
    public Long convert(String value) {
        try {
            long n = Long.parseLong(value);
            if (n >= 0 && !value.startsWith("+")) {
                return n;
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw new TypeConversionException("strconv.ParseUint: parsing \"" + value + "\": invalid syntax");
    }
}
