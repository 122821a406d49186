package io.varve.objstore;

import io.varve.objstore.BucketReader.ObjectAttributes;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A page of a bucket's listing (ListObjectsV2, Amazon S3 API reference).
 *
 * @param objects what lies there, without objects that only mark a directory
 * @param directories with their slash
 * @param next the token of the page after it, null for the last
 */
record ListPage(List<ObjectAttributes> objects, List<String> directories, @Nullable String next) {
    /**
     * Which page.
     *
     * @param token of the page before, null for the first
     * @param startAfter the key after which it begins, null for the first
     */
    record Question(String prefix, @Nullable String delimiter, @Nullable String token, @Nullable String startAfter) {
    }

    /**
     * Reads the answer's XML: elements and text, which is all that servers send here.
     *
     * @throws IllegalArgumentException for anything else, or a page that is cut short
     */
    static ListPage parse(String xml) {
        return new Parser(xml).page();
    }

    private static final class Parser {
        private final String xml;
        private int at;
        private final List<ObjectAttributes> objects = new ArrayList<>(1000);
        private final List<String> directories = new ArrayList<>();
        private boolean encoded;
        private boolean truncated;
        private @Nullable String next;
        private String key = "";
        private long size;
        private long modified;

        Parser(String xml) {
            this.xml = xml;
        }

        ListPage page() {
            List<String> open = new ArrayList<>();
            boolean found = false;
            while (true) {
                int tag = xml.indexOf('<', at);
                if (tag < 0) {
                    break;
                }
                String text = open.isEmpty() ? "" : xml.substring(at, tag);
                int end = xml.indexOf('>', tag);
                if (end < 0) {
                    throw new IllegalArgumentException("cut short");
                }
                at = end + 1;
                char kind = xml.charAt(tag + 1);
                if (kind == '?') {
                    continue;
                }
                if (kind == '!') {
                    throw new IllegalArgumentException("comments, sections and declarations are not expected");
                }
                if (kind == '/') {
                    if (open.isEmpty()) {
                        throw new IllegalArgumentException("an element ends that did not begin");
                    }
                    end(open, text);
                    open.removeLast();
                } else if (xml.charAt(end - 1) != '/') {
                    open.add(name(tag + 1, end));
                    found |= open.size() == 1 && open.getFirst().equals("ListBucketResult");
                    if (open.size() == 2 && open.getLast().equals("Contents")) {
                        key = "";
                        size = -1;
                        modified = 0;
                    }
                }
            }
            if (!found || !open.isEmpty()) {
                throw new IllegalArgumentException("not a whole ListBucketResult");
            }
            if (truncated && next == null) {
                throw new IllegalArgumentException("there is more, but no token");
            }
            if (encoded) {
                objects.replaceAll(o -> new ObjectAttributes(decoded(o.key()), o.size(), o.lastModifiedMillis()));
                directories.replaceAll(Parser::decoded);
            }
            objects.removeIf(o -> o.key().endsWith("/"));
            return new ListPage(objects, directories, truncated ? next : null);
        }

        private void end(List<String> open, String text) {
            String name = open.getLast();
            if (open.size() == 2) {
                switch (name) {
                    case "Contents" -> {
                        if (key.isEmpty() || size < 0) {
                            throw new IllegalArgumentException("an object without key or size");
                        }
                        objects.add(new ObjectAttributes(key, size, modified));
                    }
                    case "IsTruncated" -> truncated = text.strip().equals("true");
                    case "NextContinuationToken" -> next = plain(text);
                    case "EncodingType" -> encoded = text.strip().equals("url");
                    default -> {
                    }
                }
            } else if (open.size() == 3) {
                switch (open.get(1) + "/" + name) {
                    case "Contents/Key" -> key = plain(text);
                    case "Contents/Size" -> size = Long.parseLong(text.strip());
                    case "Contents/LastModified" -> modified = millis(text.strip());
                    case "CommonPrefixes/Prefix" -> directories.add(plain(text));
                    default -> {
                    }
                }
            }
        }

        /** An element's name without name space and attributes. */
        private String name(int from, int to) {
            int end = from;
            int start = from;
            while (end < to && !Character.isWhitespace(xml.charAt(end))) {
                if (xml.charAt(end) == ':') {
                    start = end + 1;
                }
                end++;
            }
            return xml.substring(start, end);
        }

        private static String plain(String text) {
            int amp = text.indexOf('&');
            if (amp < 0) {
                return text;
            }
            StringBuilder out = new StringBuilder(text.length());
            int from = 0;
            for (; amp >= 0; amp = text.indexOf('&', from)) {
                int end = text.indexOf(';', amp);
                if (end < 0) {
                    throw new IllegalArgumentException("a reference without end");
                }
                String reference = text.substring(amp + 1, end);
                out.append(text, from, amp);
                switch (reference) {
                    case "amp" -> out.append('&');
                    case "lt" -> out.append('<');
                    case "gt" -> out.append('>');
                    case "quot" -> out.append('"');
                    case "apos" -> out.append('\'');
                    default -> {
                        if (!reference.startsWith("#")) {
                            throw new IllegalArgumentException("reference to " + reference);
                        }
                        out.appendCodePoint(reference.startsWith("#x")
                                ? Integer.parseInt(reference.substring(2), 16)
                                : Integer.parseInt(reference.substring(1)));
                    }
                }
                from = end + 1;
            }
            return out.append(text, from, text.length()).toString();
        }

        private static String decoded(String text) {
            return text.indexOf('%') < 0 && text.indexOf('+') < 0 ? text : URLDecoder.decode(text, StandardCharsets.UTF_8);
        }

        /** {@code 2026-11-21T00:38:48.000Z} at little cost, any other instant of ISO 8601 as well. */
        private static long millis(String time) {
            if (time.length() == 24 && time.charAt(10) == 'T' && time.charAt(19) == '.' && time.charAt(23) == 'Z') {
                long day = LocalDate.of(number(time, 0, 4), number(time, 5, 7), number(time, 8, 10)).toEpochDay();
                return ((day * 24 + number(time, 11, 13)) * 60 + number(time, 14, 16)) * 60_000L + number(time, 17, 19) * 1000L
                        + number(time, 20, 23);
            }
            return Instant.parse(time).toEpochMilli();
        }

        private static int number(String text, int from, int to) {
            return Integer.parseInt(text, from, to, 10);
        }
    }
}
