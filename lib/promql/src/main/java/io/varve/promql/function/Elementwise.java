package io.varve.promql.function;

import java.time.LocalDate;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import org.jspecify.annotations.Nullable;

/** Functions of one float. */
public final class Elementwise {
    private static final Map<String, DoubleUnaryOperator> MATHS = Map.ofEntries(Map.entry("abs", Math::abs), Map.entry("ceil", Math::ceil),
            Map.entry("floor", Math::floor), Map.entry("exp", Math::exp), Map.entry("sqrt", Math::sqrt), Map.entry("ln", Elementwise::ln),
            Map.entry("log2", Elementwise::log2), Map.entry("log10", Elementwise::log10), Map.entry("sin", Math::sin),
            Map.entry("cos", Math::cos),
            Map.entry("tan", Math::tan), Map.entry("asin", Math::asin), Map.entry("acos", Math::acos), Map.entry("atan", Math::atan),
            Map.entry("sinh", Math::sinh), Map.entry("cosh", Math::cosh), Map.entry("tanh", Math::tanh),
            Map.entry("asinh", Elementwise::asinh), Map.entry("acosh", Elementwise::acosh), Map.entry("atanh", Elementwise::atanh),
            Map.entry("rad", v -> v * Math.PI / 180), Map.entry("deg", v -> v * 180 / Math.PI),
            Map.entry("sgn", v -> v < 0 ? -1 : v > 0 ? 1 : v));

    private Elementwise() {
    }

    /** The function of that name, null where there is none. */
    public static @Nullable DoubleUnaryOperator named(String name) {
        return MATHS.get(name);
    }

    private static final double LN2 = Math.log(2);

    /**
     * Logarithms of Go on amd64 read numbers too small to be normal as if their exponent were the least normal one less one; so do
     * these, for answers to be the same.
     */
    private static double ln(double v) {
        if (v > 0 && v < Double.MIN_NORMAL) {
            double mantissa = Double.longBitsToDouble(Double.doubleToRawLongBits(v) | 0x3ffL << 52);
            return Math.log(mantissa) - 1023 * LN2;
        }
        return Math.log(v);
    }

    private static double log10(double v) {
        return v > 0 && v < Double.MIN_NORMAL ? ln(v) / Math.log(10) : Math.log10(v);
    }

    private static double log2(double v) {
        if (v >= Double.MIN_NORMAL && !Double.isInfinite(v)) {
            // Exact for powers of two.
            int exponent = Math.getExponent(v);
            double mantissa = Math.scalb(v, -exponent - 1);
            return mantissa == 0.5 ? exponent : exponent + 1 + Math.log(mantissa) * (1 / LN2);
        }
        return ln(v) * (1 / LN2);
    }

    private static double asinh(double x) {
        if (Double.isNaN(x) || Double.isInfinite(x) || x == 0) {
            return x;
        }
        double a = Math.abs(x);
        double r;
        if (a > 1L << 28) {
            r = Math.log(a) + Math.log(2);
        } else if (a > 2) {
            r = Math.log(2 * a + 1 / (Math.sqrt(a * a + 1) + a));
        } else if (a < 1.0 / (1L << 28)) {
            r = a;
        } else {
            r = Math.log1p(a + a * a / (1 + Math.sqrt(1 + a * a)));
        }
        return Math.copySign(r, x);
    }

    private static double acosh(double x) {
        if (x < 1 || Double.isNaN(x)) {
            return Double.NaN;
        }
        if (x == 1) {
            return 0;
        }
        if (x >= 1L << 28) {
            return Math.log(x) + Math.log(2);
        }
        if (x > 2) {
            return Math.log(2 * x - 1 / (x + Math.sqrt(x * x - 1)));
        }
        double t = x - 1;
        return Math.log1p(t + Math.sqrt(2 * t + t * t));
    }

    private static double atanh(double x) {
        if (x < -1 || x > 1 || Double.isNaN(x)) {
            return Double.NaN;
        }
        double a = Math.abs(x);
        double r;
        if (a == 1) {
            r = Double.POSITIVE_INFINITY;
        } else if (a < 1.0 / (1L << 28)) {
            r = a;
        } else if (a < 0.5) {
            double t = a + a;
            r = 0.5 * Math.log1p(t + t * a / (1 - a));
        } else {
            r = 0.5 * Math.log1p((a + a) / (1 - a));
        }
        return Math.copySign(r, x);
    }

    /** The greater of two as Go has it: infinity is greater than not-a-number too. */
    public static double max(double a, double b) {
        return a == Double.POSITIVE_INFINITY || b == Double.POSITIVE_INFINITY ? Double.POSITIVE_INFINITY : Math.max(a, b);
    }

    /** The lesser of two as Go has it: negative infinity is less than not-a-number too. */
    public static double min(double a, double b) {
        return a == Double.NEGATIVE_INFINITY || b == Double.NEGATIVE_INFINITY ? Double.NEGATIVE_INFINITY : Math.min(a, b);
    }

    /** A part of a date; {@code seconds} since 1970, in UTC. */
    public static double datePart(String function, double seconds) {
        // Go counts from the year -292277022399, without a sign, so that no time is out of range; sums wrap around.
        long absolute = truncated(seconds) + SECONDS_BEFORE_1970;
        long days = Long.divideUnsigned(absolute, 86_400) - SECONDS_BEFORE_1970 / 86_400;
        long inDay = Long.remainderUnsigned(absolute, 86_400);
        return switch (function) {
            case "minute" -> inDay % 3600 / 60;
            case "hour" -> inDay / 3600;
            case "day_of_week" -> Math.floorMod(days + 4, 7);
            default -> calendar(function, days);
        };
    }

    private static final long SECONDS_BEFORE_1970 = 9_223_371_966_579_724_800L;
    private static final long DAYS_IN_400_YEARS = 146_097;

    /** Dates repeat every 400 years: the place in such a span is what java.time can tell. */
    private static double calendar(String function, long days) {
        long spans = Math.floorDiv(days, DAYS_IN_400_YEARS);
        LocalDate date = LocalDate.ofEpochDay(Math.floorMod(days, DAYS_IN_400_YEARS));
        return switch (function) {
            case "day_of_month" -> date.getDayOfMonth();
            case "day_of_year" -> date.getDayOfYear();
            case "days_in_month" -> date.lengthOfMonth();
            case "month" -> date.getMonthValue();
            case "year" -> date.getYear() + 400 * spans;
            default -> throw new IllegalArgumentException(function);
        };
    }

    /** Go's conversion to a 64 bit integer on amd64: what does not fit becomes the least of them. */
    private static long truncated(double v) {
        return v >= -0x1p63 && v < 0x1p63 ? (long) v : Long.MIN_VALUE;
    }
}
