package io.varve.querier.api;

import io.varve.model.FloatHistogram;
import io.varve.model.GoFloat;
import io.varve.model.JsonText;
import io.varve.model.Labels;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** Writes JSON text to a stream through a small buffer, so that an answer of any size takes little memory. One thread. */
final class JsonOut {
    private static final int FLUSH = 32 << 10;
    private final OutputStream out;
    private final StringBuilder sb = new StringBuilder(FLUSH + 8192);
    private boolean comma;

    JsonOut(OutputStream out) {
        this.out = out;
    }

    /** {@code {} or {@code [}. */
    JsonOut open(char c) {
        sep();
        sb.append(c);
        comma = false;
        return this;
    }

    /** {@code \}} or {@code ]}. */
    JsonOut close(char c) throws IOException {
        sb.append(c);
        comma = true;
        if (sb.length() >= FLUSH) {
            flush();
        }
        return this;
    }

    JsonOut name(String n) {
        sep();
        JsonText.appendString(sb, n);
        sb.append(':');
        comma = false;
        return this;
    }

    private void sep() {
        if (comma) {
            sb.append(',');
        }
        comma = true;
    }

    JsonOut string(String s) {
        sep();
        JsonText.appendString(sb, s);
        return this;
    }

    JsonOut strings(Iterable<String> all) throws IOException {
        open('[');
        for (String s : all) {
            string(s);
            if (sb.length() >= FLUSH) {
                flush();
            }
        }
        return close(']');
    }

    JsonOut number(long n) {
        sep();
        sb.append(n);
        return this;
    }

    JsonOut number(double d) {
        sep();
        if (Double.isNaN(d) || Double.isInfinite(d)) {
            sb.append("null");
        } else {
            GoFloat.appendSample(sb, d);
        }
        return this;
    }

    JsonOut bool(boolean b) {
        sep();
        sb.append(b);
        return this;
    }

    /** A value that is JSON already. */
    JsonOut json(String text) {
        sep();
        sb.append(text);
        return this;
    }

    JsonOut labels(Labels l) throws IOException {
        sep();
        JsonText.appendLabels(sb, l);
        if (sb.length() >= FLUSH) {
            flush();
        }
        return this;
    }

    /** {@code [t,"v"]}. */
    JsonOut point(long millis, double v) throws IOException {
        sep();
        sb.append('[');
        JsonText.appendTimestamp(sb, millis);
        sb.append(',');
        JsonText.appendSample(sb, v);
        sb.append(']');
        if (sb.length() >= FLUSH) {
            flush();
        }
        return this;
    }

    /** {@code [t,"text"]}, a scalar or a text: there the time is a number like others, without zeros at its end. */
    JsonOut point(long millis, String text) {
        sep();
        sb.append('[');
        GoFloat.appendSample(sb, millis / 1000.0);
        sb.append(',');
        JsonText.appendString(sb, text);
        sb.append(']');
        return this;
    }

    JsonOut time(long millis) {
        sep();
        JsonText.appendTimestamp(sb, millis);
        return this;
    }

    /** {@code [t,{…}]}. */
    JsonOut point(long millis, FloatHistogram h) throws IOException {
        sep();
        sb.append('[');
        JsonText.appendTimestamp(sb, millis);
        sb.append(',');
        JsonText.appendHistogram(sb, h);
        sb.append(']');
        if (sb.length() >= FLUSH) {
            flush();
        }
        return this;
    }

    void flush() throws IOException {
        byte[] b = sb.toString().getBytes(StandardCharsets.UTF_8);
        sb.setLength(0);
        out.write(b);
    }
}
