package io.varve.runtime.http;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads percent-encoded text and forms, with Go's complaints. */
final class UrlDecoder {
    private static final int MAX_PARAMETERS = 10_000;

    private UrlDecoder() {
    }

    static String decode(String s, boolean plusIsSpace) {
        return s.indexOf('%') < 0 && (!plusIsSpace || s.indexOf('+') < 0)
                ? s
                : new String(bytes(s, plusIsSpace), StandardCharsets.UTF_8);
    }

    /** The bytes that {@link #decode} reads as text, which may be no UTF-8. */
    static byte[] bytes(String s, boolean plusIsSpace) {
        byte[] out = new byte[s.length() * 3];
        int n = 0;
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c == '%') {
                int hi = i + 2 < s.length() ? Character.digit(s.charAt(i + 1), 16) : -1;
                int lo = i + 2 < s.length() ? Character.digit(s.charAt(i + 2), 16) : -1;
                if (hi < 0 || lo < 0) {
                    throw new HttpStatusException(400, "invalid URL escape \"" + s.substring(i, Math.min(s.length(), i + 3)) + "\"");
                }
                out[n++] = (byte) (hi << 4 | lo);
                i += 2;
            } else if (c == '+' && plusIsSpace) {
                out[n++] = ' ';
            } else if (c < 0x80) {
                out[n++] = (byte) c;
            } else {
                int end = Character.isHighSurrogate(c) && i + 1 < s.length() ? i + 2 : i + 1;
                byte[] utf8 = s.substring(i, end).getBytes(StandardCharsets.UTF_8);
                System.arraycopy(utf8, 0, out, n, utf8.length);
                n += utf8.length;
                i = end - 1;
            }
        }
        return Arrays.copyOf(out, n);
    }

    /**
     * Adds the parameters of a query or a form.
     *
     * @return why the first malformed one was left out, null where none was
     */
    static @Nullable HttpStatusException form(String text, Map<String, List<String>> into) {
        HttpStatusException malformed = null;
        int count = 0;
        int from = 0;
        while (from <= text.length()) {
            int end = text.indexOf('&', from);
            end = end < 0 ? text.length() : end;
            if (end > from) {
                if (++count > MAX_PARAMETERS) {
                    throw new HttpStatusException(400, "more than " + MAX_PARAMETERS + " parameters");
                }
                try {
                    add(text.substring(from, end), into);
                } catch (HttpStatusException e) {
                    malformed = malformed == null ? e : malformed;
                }
            }
            from = end + 1;
        }
        return malformed;
    }

    private static void add(String pair, Map<String, List<String>> into) {
        if (pair.indexOf(';') >= 0) {
            throw new HttpStatusException(400, "invalid semicolon separator in query");
        }
        int eq = pair.indexOf('=');
        String key = decode(eq < 0 ? pair : pair.substring(0, eq), true);
        String value = eq < 0 ? "" : decode(pair.substring(eq + 1), true);
        into.computeIfAbsent(key, k -> new ArrayList<>(1)).add(value);
    }
}
