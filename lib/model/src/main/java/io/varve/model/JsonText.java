package io.varve.model;

/** Pieces of JSON in exactly the form in which Prometheus' HTTP API writes them. */
public final class JsonText {
    private static final char[] HEX = "0123456789abcdef".toCharArray();

    private JsonText() {
    }

    /** A time: seconds, without fraction where the milliseconds are 0, else with three digits. */
    public static void appendTimestamp(StringBuilder sb, long millis) {
        if (millis < 0) {
            sb.append('-');
        }
        // As unsigned numbers, for the one that has no positive counterpart.
        long abs = Math.abs(millis);
        int fraction = (int) Long.remainderUnsigned(abs, 1000);
        sb.append(Long.divideUnsigned(abs, 1000));
        if (fraction != 0) {
            sb.append('.');
            if (fraction < 100) {
                sb.append('0');
            }
            if (fraction < 10) {
                sb.append('0');
            }
            sb.append(fraction);
        }
    }

    /** A sample's value with its quotes. */
    public static void appendSample(StringBuilder sb, double v) {
        sb.append('"');
        GoFloat.appendSample(sb, v);
        sb.append('"');
    }

    /** A string with its quotes, made safe for HTML as everywhere but in label sets: {@code <}, {@code >}, {@code &} are escaped. */
    public static void appendString(StringBuilder sb, String s) {
        append(sb, s, true);
    }

    /** A string with its quotes, of which only what JSON demands is escaped. */
    public static void appendPlainString(StringBuilder sb, String s) {
        append(sb, s, false);
    }

    /** A label set as an object. */
    public static void appendLabels(StringBuilder sb, Labels labels) {
        sb.append('{');
        for (int i = 0; i < labels.size(); i++) {
            if (i > 0) {
                sb.append(',');
            }
            appendPlainString(sb, labels.name(i));
            sb.append(':');
            appendPlainString(sb, labels.value(i));
        }
        sb.append('}');
    }

    /** A histogram as an object: count, sum and the buckets that are not empty, those that reach into the zero bucket cut off at its edge. */
    public static void appendHistogram(StringBuilder sb, FloatHistogram h) {
        sb.append("{\"count\":");
        appendSample(sb, h.count());
        sb.append(",\"sum\":");
        appendSample(sb, h.sum());
        boolean any = false;
        for (HistogramBucket b : h.bucketsBeyondZero()) {
            int kind = b.lowerInclusive() ? b.upperInclusive() ? 3 : 1 : b.upperInclusive() ? 0 : 2;
            sb.append(any ? ",[" : ",\"buckets\":[[").append(kind).append(',');
            any = true;
            appendSample(sb, b.lower());
            sb.append(',');
            appendSample(sb, b.upper());
            sb.append(',');
            appendSample(sb, b.count());
            sb.append(']');
        }
        sb.append(any ? "]}" : "}");
    }

    /** Whether a character stands for itself wherever it is; most do, so that most strings are copied whole. */
    private static boolean isPlain(char c) {
        return c >= 0x20 && c < 0x7F && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
    }

    private static void append(StringBuilder sb, String s, boolean html) {
        sb.append('"');
        int n = s.length();
        int i = 0;
        while (i < n && isPlain(s.charAt(i))) {
            i++;
        }
        if (i == n) {
            sb.append(s).append('"');
            return;
        }
        int plain = 0;
        for (; i < n; i++) {
            char c = s.charAt(i);
            boolean escape = c < 0x20 || c == '"' || c == '\\'
                    || html && (c == '<' || c == '>' || c == '&' || c == '\u2028' || c == '\u2029');
            boolean half = Character.isSurrogate(c);
            if (half && Character.isHighSurrogate(c) && i + 1 < n && Character.isLowSurrogate(s.charAt(i + 1))) {
                i++;
                continue;
            }
            if (!escape && !half) {
                continue;
            }
            sb.append(s, plain, i);
            plain = i + 1;
            switch (c) {
                case '"' -> sb.append("\\\"");
                case '\\' -> sb.append("\\\\");
                case '\n' -> sb.append("\\n");
                case '\r' -> sb.append("\\r");
                case '\t' -> sb.append("\\t");
                default -> {
                    if (half) {
                        sb.append("\\ufffd");
                    } else {
                        sb.append("\\u").append(HEX[c >> 12 & 15]).append(HEX[c >> 8 & 15]).append(HEX[c >> 4 & 15]).append(HEX[c & 15]);
                    }
                }
            }
        }
        sb.append(s, plain, n).append('"');
    }
}
