package io.varve.model;

/** Durations as Prometheus writes them: {@code 1y2w3d4h5m6s7ms}; units in this order, each at most once. */
public final class PromDuration {
    private static final String[] UNITS = {"y", "w", "d", "h", "m", "s", "ms"};
    private static final long[] MILLIS = {31_536_000_000L, 604_800_000L, 86_400_000L, 3_600_000L, 60_000L, 1000L, 1L};
    /** What fits into Go's nanoseconds: about 292 years. */
    private static final long MAX_NANOS = Long.MAX_VALUE;

    private PromDuration() {
    }

    /**
     * Reads a duration.
     *
     * @return milliseconds
     * @throws InvalidRequestException with Prometheus' text
     */
    public static long parse(String s) {
        if (s.equals("0")) {
            return 0;
        }
        if (s.isEmpty()) {
            throw new InvalidRequestException("empty duration string");
        }
        long nanos = 0;
        int last = -1;
        int i = 0;
        while (i < s.length()) {
            int digits = i;
            while (i < s.length() && isDigit(s.charAt(i))) {
                i++;
            }
            int unitStart = i;
            while (i < s.length() && !isDigit(s.charAt(i))) {
                i++;
            }
            if (unitStart == digits || i == unitStart) {
                throw notValid(s);
            }
            long n = unsigned(s, digits, unitStart);
            String unit = s.substring(unitStart, i);
            int u = java.util.Arrays.asList(UNITS).indexOf(unit);
            if (u < 0) {
                throw new InvalidRequestException("unknown unit " + GoQuote.quote(unit) + " in duration " + GoQuote.quote(s));
            }
            if (u <= last) {
                throw notValid(s);
            }
            last = u;
            long unitNanos = MILLIS[u] * 1_000_000;
            if (n < 0 || n > MAX_NANOS / unitNanos || nanos > MAX_NANOS - n * unitNanos) {
                throw new InvalidRequestException("duration out of range");
            }
            nanos += n * unitNanos;
        }
        return nanos / 1_000_000;
    }

    /** As {@link #parse}; one leading minus is allowed. */
    public static long parseSigned(String s) {
        return s.startsWith("-") ? -parse(s.substring(1)) : parse(s);
    }

    /** The shortest form; years and weeks only where nothing smaller is left. */
    public static String print(long millis) {
        if (millis == 0) {
            return "0s";
        }
        StringBuilder sb = new StringBuilder();
        if (millis < 0) {
            sb.append('-');
        }
        long rest = Math.abs(millis);
        for (int u = 0; u < UNITS.length; u++) {
            boolean onlyExact = u < 2;
            if (onlyExact && rest % MILLIS[u] != 0) {
                continue;
            }
            long n = Long.divideUnsigned(rest, MILLIS[u]);
            if (n != 0) {
                sb.append(n).append(UNITS[u]);
                rest -= n * MILLIS[u];
            }
        }
        return sb.toString();
    }

    /** A number of at most 64 bits without sign; −1 where it has more than 63, which no unit has room for. */
    private static long unsigned(String s, int from, int to) {
        int i = from;
        while (i < to - 1 && s.charAt(i) == '0') {
            i++;
        }
        if (to - i > 20) {
            throw notValid(s);
        }
        try {
            return Math.max(-1, Long.parseUnsignedLong(s, i, to, 10));
        } catch (NumberFormatException e) {
            throw notValid(s);
        }
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private static InvalidRequestException notValid(String s) {
        return new InvalidRequestException("not a valid duration string: " + GoQuote.quote(s));
    }
}
