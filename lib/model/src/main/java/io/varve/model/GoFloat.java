package io.varve.model;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;

/**
 * Floats as Go writes and reads them (package {@code strconv}): what Prometheus puts into JSON, label values and error texts.
 */
public final class GoFloat {
    private GoFloat() {
    }

    /** {@code 'f'} with the fewest digits that read back the same: no exponent, ever. Form of {@code count_values} and of printed PromQL. */
    public static String plain(double v) {
        StringBuilder sb = new StringBuilder(24);
        appendPlain(sb, v);
        return sb.toString();
    }

    /** Appends {@link #plain}. */
    public static void appendPlain(StringBuilder sb, double v) {
        if (special(sb, v)) {
            return;
        }
        if (integral(sb, v)) {
            return;
        }
        double abs = Math.abs(v);
        if (abs >= 1e-3 && abs < 1e7) {
            // Here Java writes no exponent, and the same digits: "0.0" is the only form that ends in a superfluous one.
            sb.append(v);
            return;
        }
        Shortest d = Shortest.of(v);
        if (d.negative) {
            sb.append('-');
        }
        appendPlain(sb, d.digits, d.point);
    }

    /** A sample's value in the HTTP API, without quotes: as {@link #plain}, but with an exponent below 1e-6 and from 1e21 on. */
    public static String sample(double v) {
        StringBuilder sb = new StringBuilder(24);
        appendSample(sb, v);
        return sb.toString();
    }

    /** Appends {@link #sample}. */
    public static void appendSample(StringBuilder sb, double v) {
        double abs = Math.abs(v);
        if (abs != 0 && (abs < 1e-6 || abs >= 1e21) && abs <= Double.MAX_VALUE) {
            Shortest d = Shortest.of(v);
            appendExponent(sb, d.negative, d.digits, d.point - 1);
        } else {
            appendPlain(sb, v);
        }
    }

    /** {@code 'e'} with the fewest digits that read back the same: {@code 1.5e+00}. */
    public static String exponent(double v) {
        StringBuilder sb = new StringBuilder(24);
        if (!special(sb, v)) {
            Shortest d = Shortest.of(v);
            appendExponent(sb, d.negative, d.digits, d.point - 1);
        }
        return sb.toString();
    }

    /** {@code 'g'} with the fewest digits that read back the same ({@code %g}, {@code %v}): an exponent below 1e-4 and from 1e6 on. */
    public static String general(double v) {
        StringBuilder sb = new StringBuilder(24);
        if (!special(sb, v)) {
            Shortest d = Shortest.of(v);
            general(sb, d.negative, d.digits, d.point, 6);
        }
        return sb.toString();
    }

    /** {@code %.Ng}: at most {@code precision} significant digits. */
    public static String general(double v, int precision) {
        StringBuilder sb = new StringBuilder(24);
        if (special(sb, v)) {
            return sb.toString();
        }
        boolean negative = Double.doubleToRawLongBits(v) < 0;
        int digitsWanted = Math.max(precision, 1);
        if (v == 0) {
            return negative ? "-0" : "0";
        }
        BigDecimal rounded = new BigDecimal(Math.abs(v)).round(new java.math.MathContext(digitsWanted, RoundingMode.HALF_EVEN));
        String digits = rounded.unscaledValue().toString();
        int point = digits.length() - rounded.scale();
        digits = withoutTrailingZeros(digits);
        int threshold = digitsWanted > digits.length() && digits.length() >= point ? digits.length() : digitsWanted;
        general(sb, negative, digits, point, threshold);
        return sb.toString();
    }

    /** {@code %.Nf}: exactly {@code decimals} digits after the point, the float's exact value rounded half to even. */
    public static String fixed(double v, int decimals) {
        StringBuilder sb = new StringBuilder(24);
        if (special(sb, v)) {
            return sb.toString();
        }
        if (Double.doubleToRawLongBits(v) < 0) {
            sb.append('-');
        }
        return sb.append(new BigDecimal(Math.abs(v)).setScale(decimals, RoundingMode.HALF_EVEN).toPlainString()).toString();
    }

    /** The form of {@code le} and {@code quantile} labels in OpenMetrics: as {@code %g}, and with a point or an exponent always. */
    public static String openMetrics(double v) {
        if (v == 1) {
            return "1.0";
        }
        if (v == 0) {
            return "0.0";
        }
        if (v == -1) {
            return "-1.0";
        }
        if (Double.isNaN(v) || Double.isInfinite(v)) {
            return plain(v);
        }
        String s = general(v);
        return s.indexOf('e') < 0 && s.indexOf('.') < 0 ? s + ".0" : s;
    }

    /**
     * Reads a float as {@code strconv.ParseFloat}: decimal, hexadecimal with {@code p} exponent, {@code inf}, {@code infinity},
     * {@code nan}; underscores may stand between digits, and behind {@code 0x}.
     *
     * @throws NumberFormatException with Go's text
     */
    public static double parse(String s) {
        String t = s;
        int sign = 1;
        if (!t.isEmpty() && (t.charAt(0) == '+' || t.charAt(0) == '-')) {
            sign = t.charAt(0) == '-' ? -1 : 1;
            t = t.substring(1);
        }
        String lower = t.toLowerCase(java.util.Locale.ROOT);
        switch (lower) {
            case "inf", "infinity" -> {
                return sign * Double.POSITIVE_INFINITY;
            }
            case "nan" -> {
                if (t.length() == s.length()) {
                    return Double.NaN;
                }
                throw syntax(s);
            }
            default -> {
            }
        }
        if (lower.indexOf('_') >= 0) {
            if (!underscoresSeparateDigits(lower)) {
                throw syntax(s);
            }
            lower = lower.replace("_", "");
        }
        double value;
        if (lower.startsWith("0x")) {
            if (!isHexFloat(lower)) {
                throw syntax(s);
            }
            value = Double.parseDouble(lower);
        } else {
            if (!isDecimal(lower)) {
                throw syntax(s);
            }
            value = Double.parseDouble(lower);
        }
        if (Double.isInfinite(value)) {
            throw new NumberFormatException("strconv.ParseFloat: parsing " + GoQuote.quote(s) + ": value out of range");
        }
        return sign * value;
    }

    private static NumberFormatException syntax(String s) {
        return new NumberFormatException("strconv.ParseFloat: parsing " + GoQuote.quote(s) + ": invalid syntax");
    }

    private static boolean isDecimal(String s) {
        int i = 0;
        int digits = 0;
        boolean point = false;
        for (; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c == '.' && !point) {
                point = true;
            } else if (c >= '0' && c <= '9') {
                digits++;
            } else {
                break;
            }
        }
        if (digits == 0) {
            return false;
        }
        return i == s.length() || s.charAt(i) == 'e' && isExponent(s, i + 1);
    }

    private static boolean isExponent(String s, int from) {
        int i = from;
        if (i < s.length() && (s.charAt(i) == '+' || s.charAt(i) == '-')) {
            i++;
        }
        if (i == s.length()) {
            return false;
        }
        for (; i < s.length(); i++) {
            if (s.charAt(i) < '0' || s.charAt(i) > '9') {
                return false;
            }
        }
        return true;
    }

    /** Each is behind a digit, or a prefix, and before a digit. */
    private static boolean underscoresSeparateDigits(String s) {
        boolean hex = s.startsWith("0x");
        boolean behindDigit = hex;
        boolean behindUnderscore = false;
        for (int i = hex ? 2 : 0; i < s.length(); i++) {
            char c = s.charAt(i);
            boolean digit = c >= '0' && c <= '9' || hex && isHex(c);
            if (!digit && behindUnderscore || c == '_' && !behindDigit) {
                return false;
            }
            behindDigit = digit;
            behindUnderscore = c == '_';
        }
        return !behindUnderscore;
    }

    private static boolean isHexFloat(String s) {
        // 0xhex[.hex]p±dec
        int digits = 0;
        boolean point = false;
        int i = 2;
        for (; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c == '.' && !point) {
                point = true;
            } else if (isHex(c)) {
                digits++;
            } else {
                break;
            }
        }
        return digits > 0 && i < s.length() && s.charAt(i) == 'p' && isExponent(s, i + 1);
    }

    private static boolean isHex(char c) {
        return c >= '0' && c <= '9' || c >= 'a' && c <= 'f';
    }

    private static boolean special(StringBuilder sb, double v) {
        if (Double.isNaN(v)) {
            sb.append("NaN");
        } else if (v == Double.POSITIVE_INFINITY) {
            sb.append("+Inf");
        } else if (v == Double.NEGATIVE_INFINITY) {
            sb.append("-Inf");
        } else {
            return false;
        }
        return true;
    }

    /** Integers that a double holds exactly need no search for digits; most samples are such. */
    private static boolean integral(StringBuilder sb, double v) {
        if (v >= -9007199254740992.0 && v <= 9007199254740992.0) {
            long n = (long) v;
            if (n == v && (n != 0 || Double.doubleToRawLongBits(v) == 0)) {
                sb.append(n);
                return true;
            }
        }
        return false;
    }

    private static void general(StringBuilder sb, boolean negative, String digits, int point, int threshold) {
        int exp = point - 1;
        if (exp < -4 || exp >= threshold) {
            appendExponent(sb, negative, digits, exp);
        } else {
            if (negative) {
                sb.append('-');
            }
            appendPlain(sb, digits, point);
        }
    }

    private static void appendExponent(StringBuilder sb, boolean negative, String digits, int exp) {
        if (negative) {
            sb.append('-');
        }
        sb.append(digits.charAt(0));
        if (digits.length() > 1) {
            sb.append('.').append(digits, 1, digits.length());
        }
        sb.append('e').append(exp < 0 ? '-' : '+');
        int abs = Math.abs(exp);
        if (abs < 10) {
            sb.append('0');
        }
        sb.append(abs);
    }

    /** Digits with the decimal point after the {@code point}-th. */
    private static void appendPlain(StringBuilder sb, String digits, int point) {
        if (point <= 0) {
            sb.append("0.").repeat("0", -point).append(digits);
        } else if (point >= digits.length()) {
            sb.append(digits).repeat("0", point - digits.length());
        } else {
            sb.append(digits, 0, point).append('.').append(digits, point, digits.length());
        }
    }

    private static String withoutTrailingZeros(String digits) {
        int n = digits.length();
        while (n > 1 && digits.charAt(n - 1) == '0') {
            n--;
        }
        return digits.substring(0, n);
    }

    /**
     * The fewest decimal digits that read back the same, of those the nearest: value = 0.digits × 10^point. Java's own search gives
     * the same but never fewer than two digits, so that a single one must be tried where it gives two.
     */
    private record Shortest(boolean negative, String digits, int point) {
        static Shortest of(double v) {
            boolean negative = Double.doubleToRawLongBits(v) < 0;
            double abs = Math.abs(v);
            if (abs == 0) {
                return new Shortest(negative, "0", 1);
            }
            // "123.45" or "1.2345E-7"
            String text = Double.toString(abs);
            int exponent = text.indexOf('E');
            int end = exponent < 0 ? text.length() : exponent;
            int dot = text.indexOf('.');
            int first = 0;
            while (text.charAt(first) == '0' || first == dot) {
                first++;
            }
            int last = end;
            while (text.charAt(last - 1) == '0' || last - 1 == dot) {
                last--;
            }
            String digits = first < dot && last > dot
                    ? text.substring(first, dot) + text.substring(dot + 1, last)
                    : text.substring(first, last);
            int point = (first < dot ? dot - first : dot - first + 1)
                    + (exponent < 0 ? 0 : Integer.parseInt(text, exponent + 1, text.length(), 10));
            if (digits.length() == 2) {
                String one = oneDigit(abs, digits, point);
                if (one != null) {
                    return one.length() == 2 ? new Shortest(negative, "1", point + 1) : new Shortest(negative, one, point);
                }
            }
            return new Shortest(negative, digits, point);
        }

        /** One digit that reads back as {@code v}, "10" for a carry, null where there is none. */
        private static @org.jspecify.annotations.Nullable String oneDigit(double v, String digits, int point) {
            int low = digits.charAt(0) - '0';
            BigDecimal exact = new BigDecimal(v);
            int best = -1;
            BigDecimal distance = BigDecimal.ZERO;
            for (int n = low; n <= low + 1; n++) {
                BigDecimal candidate = new BigDecimal(BigInteger.valueOf(n), 1 - point);
                if (n > 0 && candidate.doubleValue() == v) {
                    BigDecimal off = candidate.subtract(exact).abs();
                    if (best < 0 || off.compareTo(distance) < 0) {
                        best = n;
                        distance = off;
                    }
                }
            }
            return best < 0 ? null : Integer.toString(best);
        }
    }
}
