package io.varve.model;

import java.util.Arrays;

/**
 * Hashes of label sets that other programs compute too: they decide which series {@code limit_ratio} takes, so they must be the same
 * everywhere. All are xxHash64 over UTF-8 bytes; results are unsigned 64-bit numbers. Static, safe for many threads.
 */
public final class LabelHash {
    private static final byte SEPARATOR = (byte) 0xFF;

    private LabelHash() {
    }

    /** Name 0xFF value 0xFF for each label: Prometheus' stable hash. */
    public static long stable(Labels labels) {
        Bytes b = new Bytes();
        for (int i = 0; i < labels.size(); i++) {
            b.utf8(labels.name(i));
            b.add(SEPARATOR);
            b.utf8(labels.value(i));
            b.add(SEPARATOR);
        }
        return b.hash();
    }

    /**
     * What Prometheus' default build ("stringlabels") hashes for {@code limit_ratio}: name and value of each label, each behind its
     * length, which is one byte, or 0xFF and three bytes (least significant first) from 255 on.
     */
    public static long stringLabels(Labels labels) {
        Bytes b = new Bytes();
        for (int i = 0; i < labels.size(); i++) {
            b.prefixed(labels.name(i));
            b.prefixed(labels.value(i));
        }
        return b.hash();
    }

    /** Growing bytes. */
    private static final class Bytes {
        private byte[] data = new byte[256];
        private int size;

        void add(byte b) {
            room(1);
            data[size++] = b;
        }

        void utf8(String s) {
            int n = s.length();
            // Three bytes per UTF-16 unit are the most: a pair of them takes four.
            room(3 * n);
            byte[] d = data;
            int p = size;
            for (int i = 0; i < n; i++) {
                char c = s.charAt(i);
                if (c < 0x80) {
                    d[p++] = (byte) c;
                } else if (c < 0x800) {
                    d[p++] = (byte) (0xC0 | c >> 6);
                    d[p++] = (byte) (0x80 | c & 0x3F);
                } else if (Character.isHighSurrogate(c) && i + 1 < n && Character.isLowSurrogate(s.charAt(i + 1))) {
                    int cp = Character.toCodePoint(c, s.charAt(++i));
                    d[p++] = (byte) (0xF0 | cp >> 18);
                    d[p++] = (byte) (0x80 | cp >> 12 & 0x3F);
                    d[p++] = (byte) (0x80 | cp >> 6 & 0x3F);
                    d[p++] = (byte) (0x80 | cp & 0x3F);
                } else if (Character.isSurrogate(c)) {
                    // Half of a pair has no bytes; as String.getBytes does.
                    d[p++] = '?';
                } else {
                    d[p++] = (byte) (0xE0 | c >> 12);
                    d[p++] = (byte) (0x80 | c >> 6 & 0x3F);
                    d[p++] = (byte) (0x80 | c & 0x3F);
                }
            }
            size = p;
        }

        void prefixed(String s) {
            int at = size;
            room(1);
            size++;
            utf8(s);
            int n = size - at - 1;
            if (n < 255) {
                data[at] = (byte) n;
                return;
            }
            room(3);
            System.arraycopy(data, at + 1, data, at + 4, n);
            size += 3;
            data[at] = SEPARATOR;
            data[at + 1] = (byte) n;
            data[at + 2] = (byte) (n >> 8);
            data[at + 3] = (byte) (n >> 16);
        }

        private void room(int more) {
            if (size + more > data.length) {
                data = Arrays.copyOf(data, Math.max(size + more, 2 * data.length));
            }
        }

        long hash() {
            return XxHash64.hash(data, 0, size);
        }
    }
}
