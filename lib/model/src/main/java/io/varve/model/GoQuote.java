package io.varve.model;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;

/** Go's {@code strconv.Quote}: how Prometheus writes strings in label sets and error texts. */
public final class GoQuote {
    private GoQuote() {
    }

    /** The quoted form of {@code s}. */
    public static String quote(String s) {
        StringBuilder sb = new StringBuilder(s.length() + 2);
        append(sb, s);
        return sb.toString();
    }

    /** The text of bytes. One that is no UTF-8 stands there as half a surrogate pair, and is quoted as the byte that it is. */
    public static String text(byte[] bytes) {
        CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
        ByteBuffer in = ByteBuffer.wrap(bytes);
        CharBuffer out = CharBuffer.allocate(bytes.length);
        while (true) {
            CoderResult r = decoder.decode(in, out, true);
            if (!r.isError()) {
                return out.flip().toString();
            }
            for (int i = 0; i < r.length(); i++) {
                out.put((char) (0xdc00 | in.get() & 0xff));
            }
        }
    }

    /** Appends the quoted form of {@code s}. */
    public static void append(StringBuilder sb, String s) {
        sb.append('"');
        for (int i = 0; i < s.length();) {
            int c = s.codePointAt(i);
            i += Character.charCount(c);
            switch (c) {
                case '"' -> sb.append("\\\"");
                case '\\' -> sb.append("\\\\");
                case 7 -> sb.append("\\a");
                case '\b' -> sb.append("\\b");
                case '\f' -> sb.append("\\f");
                case '\n' -> sb.append("\\n");
                case '\r' -> sb.append("\\r");
                case '\t' -> sb.append("\\t");
                case 11 -> sb.append("\\v");
                default -> {
                    if (c < 0x20 || c == 0x7f) {
                        sb.append(String.format("\\x%02x", c));
                    } else if (c >= 0xdc80 && c <= 0xdcff) {
                        // A byte that is no UTF-8, carried through a Java string as half a surrogate pair.
                        sb.append(String.format("\\x%02x", c & 0xff));
                    } else if (isPrint(c)) {
                        sb.appendCodePoint(c);
                    } else if (c < 0x10000) {
                        sb.append(String.format("\\u%04x", c));
                    } else {
                        sb.append(String.format("\\U%08x", c));
                    }
                }
            }
        }
        sb.append('"');
    }

    /** Go's {@code %q} of one character: in single quotes. What is no character (negative) is shown as U+FFFD. */
    public static String rune(int c) {
        if (c == '\'') {
            return "'\\''";
        }
        if (c == '"') {
            return "'\"'";
        }
        if (c < 0 || c > 0x10ffff || c >= 0xd800 && c < 0xe000) {
            return "'\ufffd'";
        }
        String quoted = quote(Character.toString(c));
        return "'" + quoted.substring(1, quoted.length() - 1) + "'";
    }

    /** Go's {@code %#U}: {@code U+0071 'q'}, without the character where it cannot be printed. */
    public static String unicode(int c) {
        String hex = String.format("U+%04X", c);
        return isPrint(c) ? hex + " '" + Character.toString(c) + "'" : hex;
    }

    /** Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols, and the ASCII space. */
    private static boolean isPrint(int c) {
        if (c < 0x7f) {
            return c >= 0x20;
        }
        return switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.PRIVATE_USE, Character.SURROGATE, Character.UNASSIGNED,
                    Character.SPACE_SEPARATOR,
                    Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR ->
                false;
            default -> true;
        };
    }
}
