package io.varve.runtime.flags;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;

/**
 * Reads a flag that is a number of bytes: {@code 250MB}, {@code 1GiB}, {@code 0}, {@code 1.5GB}. As in Thanos both spellings of a unit
 * mean powers of 1024. The field is a {@code long}.
 */
public final class ByteSize implements ITypeConverter<Long> {
    private static final String UNITS = "KMGTPE";

    /** For picocli. */
    public ByteSize() {
    }

    @Override
    public Long convert(String value) {
        return Values.orRefuse(value, ByteSize::parse);
    }

    /**
     * The number of bytes.
     *
     * @throws IllegalArgumentException where it is no size
     */
    public static long parse(String text) {
        String s = text.trim().toUpperCase(Locale.ROOT);
        BigDecimal total = BigDecimal.ZERO;
        if (s.isEmpty()) {
            throw invalid(text);
        }
        if (s.equals("0")) {
            return 0;
        }
        int i = 0;
        while (i < s.length()) {
            int from = i;
            while (i < s.length() && (s.charAt(i) == '.' || s.charAt(i) >= '0' && s.charAt(i) <= '9')) {
                i++;
            }
            BigDecimal number;
            try {
                number = new BigDecimal(s.substring(from, Math.min(i, from + 30)));
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException(invalid(text).getMessage(), e);
            }
            int power = i < s.length() ? UNITS.indexOf(s.charAt(i)) + 1 : 0;
            if (power > 0) {
                i++;
                if (i < s.length() && s.charAt(i) == 'I') {
                    i++;
                }
            }
            if (i < s.length() && s.charAt(i) == 'B') {
                i++;
            } else if (power == 0 && i < s.length()) {
                throw invalid(text);
            }
            total = total.add(number.multiply(BigDecimal.valueOf(1024).pow(power)));
        }
        total = total.setScale(0, RoundingMode.DOWN);
        if (total.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0) {
            throw invalid(text);
        }
        return total.longValue();
    }

    private static IllegalArgumentException invalid(String text) {
        return new IllegalArgumentException("units: invalid " + text);
    }
}
