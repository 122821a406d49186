package io.varve.runtime.flags;

import io.varve.model.GoFloat;
import io.varve.model.InvalidRequestException;
import io.varve.model.PromDuration;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** The two ways in which durations are written: Go's ({@code 1h30m0.5s}) and Prometheus' ({@code 1w2d}). */
public final class Durations {
    /** So many digits of hours are fewer than 2^62 nanoseconds. */
    private static final int SHORT = 6;

    private Durations() {
    }

    /**
     * Go's {@code time.ParseDuration}: an optional sign, then numbers with a fraction and a unit of ns, us, µs, ms, s, m, h; or 0.
     *
     * @throws IllegalArgumentException in Go's words
     */
    public static Duration parseGo(String text) {
        String s = text;
        boolean negative = false;
        if (s.startsWith("-") || s.startsWith("+")) {
            negative = s.charAt(0) == '-';
            s = s.substring(1);
        }
        if (s.equals("0")) {
            return Duration.ZERO;
        }
        if (s.isEmpty()) {
            throw invalidGo(text);
        }
        // Decimals only where there is a fraction or a large number: a JVM makes tables of them before the first.
        long nanos = 0;
        @Nullable
        BigDecimal rest = null;
        int i = 0;
        while (i < s.length()) {
            int from = i;
            boolean digits = false;
            boolean dot = false;
            for (; i < s.length(); i++) {
                char c = s.charAt(i);
                if (c >= '0' && c <= '9') {
                    digits = true;
                } else if (c == '.' && !dot) {
                    dot = true;
                } else {
                    break;
                }
            }
            if (!digits || i - from > 40) {
                throw invalidGo(text);
            }
            String number = s.substring(from, i);
            int unitFrom = i;
            while (i < s.length() && s.charAt(i) != '.' && (s.charAt(i) < '0' || s.charAt(i) > '9')) {
                i++;
            }
            String unit = s.substring(unitFrom, i);
            if (unit.isEmpty()) {
                throw new IllegalArgumentException("time: missing unit in duration \"" + text + "\"");
            }
            long factor = switch (unit) {
                case "ns" -> 1L;
                case "us", "µs", "μs" -> 1_000L;
                case "ms" -> 1_000_000L;
                case "s" -> 1_000_000_000L;
                case "m" -> 60_000_000_000L;
                case "h" -> 3_600_000_000_000L;
                default -> throw new IllegalArgumentException("time: unknown unit \"" + unit + "\" in duration \"" + text + "\"");
            };
            if (!dot && number.length() <= SHORT && nanos < Long.MAX_VALUE / 2) {
                nanos += Long.parseLong(number) * factor;
            } else {
                BigDecimal part = new BigDecimal(number).multiply(BigDecimal.valueOf(factor));
                rest = rest == null ? part : rest.add(part);
            }
        }
        if (rest != null) {
            BigDecimal sum = rest.add(BigDecimal.valueOf(nanos)).setScale(0, RoundingMode.DOWN);
            if (sum.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0) {
                throw invalidGo(text);
            }
            nanos = sum.longValue();
        }
        return Duration.ofNanos(negative ? -nanos : nanos);
    }

    /** Go's {@code Duration.String}, of what is not negative: 0s, 500ns, 1.5ms, 1.5s, 2m0s, 1h0m0s. */
    public static String formatGo(Duration duration) {
        long nanos = duration.toNanos();
        if (nanos == 0) {
            return "0s";
        }
        if (nanos < 1_000) {
            return nanos + "ns";
        }
        if (nanos < 1_000_000) {
            return GoFloat.plain(nanos / 1e3) + "µs";
        }
        if (nanos < 1_000_000_000) {
            return GoFloat.plain(nanos / 1e6) + "ms";
        }
        long minutes = duration.toMinutes();
        String seconds = GoFloat.plain(nanos % 60_000_000_000L / 1e9) + "s";
        return (minutes >= 60 ? minutes / 60 + "h" : "") + (minutes > 0 ? minutes % 60 + "m" : "") + seconds;
    }

    /**
     * Prometheus' {@code model.ParseDuration}: whole numbers with units y, w, d, h, m, s, ms in that order, each at most once; or 0.
     *
     * @throws IllegalArgumentException in Prometheus' words
     */
    public static Duration parsePrometheus(String text) {
        try {
            return Duration.ofMillis(PromDuration.parse(text));
        } catch (InvalidRequestException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
    }

    private static IllegalArgumentException invalidGo(String text) {
        return new IllegalArgumentException("time: invalid duration \"" + text + "\"");
    }
}
