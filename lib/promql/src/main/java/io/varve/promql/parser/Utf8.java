package io.varve.promql.parser;

import java.util.Arrays;

/**
 * UTF-8 with Go's rules for what is broken: a byte that starts no valid sequence stands alone. In Java strings such a byte is
 * the lone low surrogate U+DC00 + byte, so that it can be shown and written back.
 */
final class Utf8 {
    /** What a broken byte decodes to. */
    static final int ERROR = 0xFFFD;

    private Utf8() {
    }

    /** The code point at {@code i} in the low 32 bits, its length in bytes in the high ones. */
    static long decode(byte[] b, int i, int end) {
        int c = b[i] & 0xff;
        if (c < 0x80) {
            return 1L << 32 | c;
        }
        int more = c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 0;
        if (more == 0 || i + more >= end) {
            return 1L << 32 | ERROR;
        }
        int point = c & 0x3f >> more;
        for (int k = 1; k <= more; k++) {
            int x = b[i + k] & 0xff;
            if ((x & 0xc0) != 0x80) {
                return 1L << 32 | ERROR;
            }
            point = point << 6 | x & 0x3f;
        }
        boolean tooLong = more == 2 && point < 0x800 || more == 3 && point < 0x10000;
        if (tooLong || point > 0x10ffff || point >= 0xd800 && point < 0xe000) {
            return 1L << 32 | ERROR;
        }
        return (long) (more + 1) << 32 | point;
    }

    /** The text of a range of bytes. */
    static String text(byte[] b, int from, int to) {
        StringBuilder sb = new StringBuilder(to - from);
        for (int i = from; i < to;) {
            long d = decode(b, i, to);
            int length = (int) (d >>> 32);
            if ((int) d == ERROR && length == 1) {
                sb.append((char) (0xdc00 | b[i] & 0xff));
            } else {
                sb.appendCodePoint((int) d);
            }
            i += length;
        }
        return sb.toString();
    }

    /** The bytes of a text. */
    static byte[] bytes(String s) {
        byte[] out = new byte[s.length() + 16];
        int n = 0;
        for (int i = 0; i < s.length();) {
            int c = s.codePointAt(i);
            i += Character.charCount(c);
            if (n + 4 > out.length) {
                out = Arrays.copyOf(out, out.length * 2);
            }
            if (c < 0x80) {
                out[n++] = (byte) c;
            } else if (c < 0x800) {
                out[n++] = (byte) (0xc0 | c >> 6);
                out[n++] = (byte) (0x80 | c & 0x3f);
            } else if (c >= 0xdc80 && c <= 0xdcff) {
                out[n++] = (byte) c;
            } else if (c < 0x10000) {
                out[n++] = (byte) (0xe0 | c >> 12);
                out[n++] = (byte) (0x80 | c >> 6 & 0x3f);
                out[n++] = (byte) (0x80 | c & 0x3f);
            } else {
                out[n++] = (byte) (0xf0 | c >> 18);
                out[n++] = (byte) (0x80 | c >> 12 & 0x3f);
                out[n++] = (byte) (0x80 | c >> 6 & 0x3f);
                out[n++] = (byte) (0x80 | c & 0x3f);
            }
        }
        return Arrays.copyOf(out, n);
    }
}
