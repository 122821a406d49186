package io.varve.objstore;

import io.varve.objstore.BucketReader.ObjectAttributes;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One page of a listing.
 *
 * @param objects those that are no markers of directories, in order
 * @param directories common prefixes, where a delimiter was asked for
 * @param truncated whether more follows
 * @param next token of the page that follows; null where none follows, or the server does not say
 */
record S3Page(List<ObjectAttributes> objects, List<String> directories, boolean truncated, @Nullable String next) {
    private static final byte[] ROOT = name("ListBucketResult");
    private static final byte[] CONTENTS = name("Contents");
    private static final byte[] KEY = name("Key");
    private static final byte[] SIZE = name("Size");
    private static final byte[] MODIFIED = name("LastModified");
    private static final byte[] COMMON_PREFIXES = name("CommonPrefixes");
    private static final byte[] PREFIX = name("Prefix");
    private static final byte[] TRUNCATED = name("IsTruncated");
    private static final byte[] TOKEN = name("NextContinuationToken");
    private static final byte[] ENCODING = name("EncodingType");

    private static byte[] name(String s) {
        return s.getBytes(StandardCharsets.US_ASCII);
    }

    /**
     * Reads the XML that {@code ListObjectsV2} answers ("ListObjectsV2", Amazon S3 API reference): elements, text and the entities every XML
     * has. A document with anything else in it (a document type, CDATA, comments) is not read.
     *
     * @throws IOException where it is another document, damaged or cut off, or says what is not understood here
     */
    static S3Page parse(byte[] xml) throws IOException {
        return new Reader(xml).page();
    }

    private static final class Reader {
        private final byte[] xml;
        private int at;
        private final List<ObjectAttributes> objects = new ArrayList<>(1000);
        private final List<String> directories = new ArrayList<>();
        private boolean truncated;
        private @Nullable String next;
        private String encoding = "";
        private @Nullable String key;
        private long size = -1;
        private long modifiedMillis;
        private int lastDate = -1;
        private long lastEpochDay;

        Reader(byte[] xml) {
            this.xml = xml;
        }

        /** Where an element's name lies, and whether it has anything in it. */
        private record Tag(int from, int to, boolean empty) {
        }

        S3Page page() throws IOException {
            try {
                if (xml.length > 2 && (xml[0] & 0xFF) == 0xEF) {
                    at = 3;
                }
                Tag root = open();
                if (root == null || !is(root, ROOT)) {
                    throw malformed("no listing");
                }
                if (!root.empty) {
                    for (Tag t = open(); t != null; t = open()) {
                        child(t);
                    }
                    close(root);
                }
            } catch (IndexOutOfBoundsException e) {
                throw new IOException("listing: cut off", e);
            }
            List<ObjectAttributes> found = new ArrayList<>(objects.size());
            for (ObjectAttributes o : objects) {
                String name = decoded(o.key());
                if (!name.endsWith("/")) {
                    found.add(new ObjectAttributes(name, o.size(), o.lastModifiedMillis()));
                }
            }
            List<String> prefixes = new ArrayList<>(directories.size());
            for (String d : directories) {
                prefixes.add(decoded(d));
            }
            return new S3Page(found, prefixes, truncated, next);
        }

        private String decoded(String s) throws IOException {
            if (!encoding.equals("url") || s.indexOf('%') < 0 && s.indexOf('+') < 0) {
                return s;
            }
            try {
                return URLDecoder.decode(s, StandardCharsets.UTF_8);
            } catch (IllegalArgumentException e) {
                throw new IOException("listing: key " + s, e);
            }
        }

        private void child(Tag t) throws IOException {
            if (is(t, CONTENTS)) {
                key = null;
                size = -1;
                modifiedMillis = 0;
                fields(t);
                if (key == null || size < 0) {
                    throw malformed("an object without key or size");
                }
                objects.add(new ObjectAttributes(key, size, modifiedMillis));
            } else if (is(t, COMMON_PREFIXES)) {
                key = null;
                fields(t);
                if (key == null) {
                    throw malformed("a common prefix without one");
                }
                directories.add(key);
            } else if (is(t, TRUNCATED)) {
                String s = text(t);
                if (!s.equals("true") && !s.equals("false")) {
                    throw malformed("IsTruncated is " + s);
                }
                truncated = s.equals("true");
            } else if (is(t, TOKEN)) {
                next = text(t);
            } else if (is(t, ENCODING)) {
                encoding = text(t);
            } else {
                skip(t);
            }
        }

        private void fields(Tag parent) throws IOException {
            if (parent.empty) {
                return;
            }
            for (Tag t = open(); t != null; t = open()) {
                if (is(t, KEY) || is(t, PREFIX)) {
                    key = text(t);
                } else if (is(t, SIZE)) {
                    size = number(t);
                } else if (is(t, MODIFIED)) {
                    modifiedMillis = time(t);
                } else {
                    skip(t);
                }
            }
            close(parent);
        }

        private void skip(Tag t) throws IOException {
            if (t.empty) {
                return;
            }
            for (Tag inner = open(); inner != null; inner = open()) {
                skip(inner);
            }
            close(t);
        }

        /** Goes to the next element that begins before another ends, over text; null where one ends first. */
        private @Nullable Tag open() throws IOException {
            while (true) {
                while (xml[at] != '<') {
                    at++;
                }
                byte after = xml[at + 1];
                if (after == '/') {
                    return null;
                }
                if (after == '?') {
                    while (xml[at] != '?' || xml[at + 1] != '>') {
                        at++;
                    }
                    at += 2;
                    continue;
                }
                if (after == '!') {
                    throw malformed("neither elements nor text");
                }
                int from = at + 1;
                int to = from;
                while (xml[to] != '>' && xml[to] != '/' && xml[to] > ' ') {
                    to++;
                }
                at = to;
                byte quote = 0;
                while (quote != 0 || xml[at] != '>') {
                    byte b = xml[at++];
                    if (quote == 0 && (b == '"' || b == '\'')) {
                        quote = b;
                    } else if (b == quote) {
                        quote = 0;
                    }
                }
                boolean empty = xml[at - 1] == '/';
                at++;
                return new Tag(from, to, empty);
            }
        }

        /** Goes over the end of an element. */
        private void close(Tag t) throws IOException {
            int n = t.to - t.from;
            int from = at + 2;
            if (xml[at] != '<' || xml[at + 1] != '/' || !Arrays.equals(xml, t.from, t.to, xml, from, from + n)) {
                throw malformed("elements do not end as they begin");
            }
            at = from + n;
            while (xml[at] == ' ' || xml[at] == '\n' || xml[at] == '\r' || xml[at] == '\t') {
                at++;
            }
            if (xml[at++] != '>') {
                throw malformed("elements do not end as they begin");
            }
        }

        private boolean is(Tag t, byte[] name) {
            return Arrays.equals(xml, t.from, t.to, name, 0, name.length);
        }

        /** The text of an element that has no others in it; goes over its end. */
        private String text(Tag t) throws IOException {
            if (t.empty) {
                return "";
            }
            int from = at;
            boolean plain = true;
            while (xml[at] != '<') {
                plain &= xml[at] != '&' && xml[at] != '\r';
                at++;
            }
            String s = new String(xml, from, at - from, StandardCharsets.UTF_8);
            close(t);
            return plain ? s : unescaped(s);
        }

        private static String unescaped(String s) throws IOException {
            StringBuilder out = new StringBuilder(s.length());
            String lines = s.replace("\r\n", "\n").replace('\r', '\n');
            for (int i = 0; i < lines.length(); i++) {
                char c = lines.charAt(i);
                if (c != '&') {
                    out.append(c);
                    continue;
                }
                int end = lines.indexOf(';', i);
                String entity = end < 0 ? "" : lines.substring(i + 1, end);
                switch (entity) {
                    case "amp" -> out.append('&');
                    case "lt" -> out.append('<');
                    case "gt" -> out.append('>');
                    case "quot" -> out.append('"');
                    case "apos" -> out.append('\'');
                    default -> {
                        if (!entity.startsWith("#")) {
                            throw malformed("entity " + entity);
                        }
                        try {
                            out.appendCodePoint(entity.startsWith("#x")
                                    ? Integer.parseInt(entity, 2, entity.length(), 16)
                                    : Integer.parseInt(entity, 1, entity.length(), 10));
                        } catch (IllegalArgumentException e) {
                            throw new IOException("listing: entity " + entity, e);
                        }
                    }
                }
                i = end;
            }
            return out.toString();
        }

        private long number(Tag t) throws IOException {
            int from = at;
            long n = 0;
            while (!t.empty && at - from < 18 && xml[at] >= '0' && xml[at] <= '9') {
                n = n * 10 + xml[at++] - '0';
            }
            if (at > from && xml[at] == '<') {
                close(t);
                return n;
            }
            at = from;
            String s = text(t);
            try {
                return Long.parseLong(s.strip());
            } catch (NumberFormatException e) {
                throw new IOException("listing: size " + s, e);
            }
        }

        /** Mostly {@code 2026-01-02T03:04:05.678Z}; each object has one. */
        private long time(Tag t) throws IOException {
            int from = at;
            if (!t.empty && xml[from + 10] == 'T' && (xml[from + 19] == 'Z' || xml[from + 19] == '.' && xml[from + 23] == 'Z')) {
                int end = from + (xml[from + 19] == 'Z' ? 20 : 24);
                long year = digits(from, 4, '-');
                long month = digits(from + 5, 2, '-');
                long day = digits(from + 8, 2, 'T');
                long hour = digits(from + 11, 2, ':');
                long minute = digits(from + 14, 2, ':');
                long second = digits(from + 17, 2, xml[from + 19]);
                long millis = end - from == 24 ? digits(from + 20, 3, 'Z') : 0;
                if ((year | month | day | hour | minute | second | millis) >= 0 && xml[end] == '<') {
                    at = end;
                    close(t);
                    return (epochDay((int) year, (int) month, (int) day) * 86_400 + hour * 3600 + minute * 60 + second) * 1000 + millis;
                }
            }
            String s = text(t);
            try {
                return Instant.parse(s).toEpochMilli();
            } catch (DateTimeException | ArithmeticException e) {
                throw new IOException("listing: time " + s, e);
            }
        }

        /** Most objects are as old as those before them. */
        private long epochDay(int year, int month, int day) throws IOException {
            int date = (year * 100 + month) * 100 + day;
            if (date != lastDate) {
                try {
                    lastEpochDay = LocalDate.of(year, month, day).toEpochDay();
                } catch (DateTimeException e) {
                    throw new IOException("listing: time of " + date, e);
                }
                lastDate = date;
            }
            return lastEpochDay;
        }

        /** A number of so many digits with that byte behind it, −1 where there is something else. */
        private int digits(int from, int count, int behind) {
            int n = 0;
            for (int i = from; i < from + count; i++) {
                int digit = xml[i] - '0';
                if (digit < 0 || digit > 9) {
                    return -1;
                }
                n = n * 10 + digit;
            }
            return xml[from + count] == behind ? n : -1;
        }

        private static IOException malformed(String why) {
            return new IOException("listing: " + why);
        }
    }
}
