package io.varve.runtime.http;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads the text fields of a {@code multipart/form-data} body (RFC 7578), as {@code curl -F} sends it. Files are left out. Transfer encodings, which
 * the RFC no longer has, are not decoded.
 */
final class MultipartForm {
    static final String TYPE = "multipart/form-data";
    private static final int MAX_PARTS = 1000;

    private final byte[] body;
    private final byte[] boundary;
    private int at;

    private MultipartForm(byte[] body, String boundary) {
        this.body = body;
        this.boundary = ("--" + boundary).getBytes(StandardCharsets.UTF_8);
    }

    /** Whether a content type says that the body is such a form. */
    static boolean is(@Nullable String contentType) {
        return contentType != null && contentType.split(";", 2)[0].strip().equalsIgnoreCase(TYPE);
    }

    /** The fields in order; none where the form is broken, as Go reads it: half of a form is no form. */
    static Map<String, List<String>> read(String contentType, byte[] body) {
        String boundary = parameter(contentType, "boundary");
        Map<String, List<String>> fields = new LinkedHashMap<>();
        return boundary != null && !boundary.isEmpty() && new MultipartForm(body, boundary).fields(fields) ? fields : Map.of();
    }

    private boolean fields(Map<String, List<String>> into) {
        // What comes before the first boundary is a preamble.
        at = startsWith(0, boundary) ? 0 : delimiter(0);
        for (int parts = 0; at >= 0 && parts <= MAX_PARTS; parts++) {
            at += boundary.length;
            if (startsWith(at, new byte[]{'-', '-'})) {
                return true;
            }
            String disposition = "";
            String line = line();
            if (line == null || !line.isBlank()) {
                return false;
            }
            while ((line = line()) != null && !line.isEmpty()) {
                int colon = line.indexOf(':');
                if (colon <= 0) {
                    return false;
                }
                if (line.substring(0, colon).strip().equalsIgnoreCase("Content-Disposition")) {
                    disposition = line.substring(colon + 1).strip();
                }
            }
            int from = at;
            // An empty part's delimiter begins with the line end that ended its headers.
            at = line == null ? -1 : startsWith(from, boundary) ? from : delimiter(from);
            if (at < 0) {
                return false;
            }
            String name = parameter(disposition, "name");
            String file = parameter(disposition, "filename");
            if (disposition.toLowerCase(Locale.ROOT).startsWith("form-data") && name != null && !name.isEmpty()
                    && (file == null || file.isEmpty())) {
                int end = at > from && body[at - 1] == '\n' ? at - 1 : at;
                end = end > from && body[end - 1] == '\r' ? end - 1 : end;
                into.computeIfAbsent(name, k -> new ArrayList<>(1)).add(new String(body, from, end - from, StandardCharsets.UTF_8));
            }
        }
        return false;
    }

    /** The next boundary that begins a line, −1 where there is none. */
    private int delimiter(int from) {
        for (int i = from + 1; i <= body.length - boundary.length; i++) {
            if (body[i - 1] == '\n' && startsWith(i, boundary)) {
                return i;
            }
        }
        return -1;
    }

    /** The line that begins here, without its end; null where it has none. */
    private @Nullable String line() {
        for (int i = at; i < body.length; i++) {
            if (body[i] == '\n') {
                int end = i > at && body[i - 1] == '\r' ? i - 1 : i;
                String line = new String(body, at, end - at, StandardCharsets.UTF_8);
                at = i + 1;
                return line;
            }
        }
        return null;
    }

    private boolean startsWith(int from, byte[] what) {
        if (from + what.length > body.length) {
            return false;
        }
        for (int i = 0; i < what.length; i++) {
            if (body[from + i] != what[i]) {
                return false;
            }
        }
        return true;
    }

    /** A parameter of a header's value, {@code ; name=value} or {@code ; name="value"}; null where it is not there. */
    private static @Nullable String parameter(String header, String name) {
        int i = header.indexOf(';');
        while (i >= 0 && i < header.length()) {
            int eq = header.indexOf('=', i + 1);
            if (eq < 0) {
                return null;
            }
            String key = header.substring(i + 1, eq).strip();
            StringBuilder value = new StringBuilder();
            int j = eq + 1;
            if (j < header.length() && header.charAt(j) == '"') {
                for (j++; j < header.length() && header.charAt(j) != '"'; j++) {
                    if (header.charAt(j) == '\\' && j + 1 < header.length() && "\"\\".indexOf(header.charAt(j + 1)) >= 0) {
                        j++;
                    }
                    value.append(header.charAt(j));
                }
                i = header.indexOf(';', j);
            } else {
                i = header.indexOf(';', j);
                value.append(header.substring(j, i < 0 ? header.length() : i).strip());
            }
            if (key.equalsIgnoreCase(name)) {
                return value.toString();
            }
        }
        return null;
    }
}
