package io.varve.store;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Names and values of labels that were read lately: who reads the same bytes again gets the same object, so that streams with the same
 * series hold their texts once and compare them by identity. A bounded number of short texts; which of them are kept is left to chance.
 * Safe for many threads: a race costs a second object.
 */
public final class LabelTexts {
    /** Two by two: a text is in either slot of its pair, the one that was made last in the first. */
    private static final int SLOTS = 1 << 15;
    /** Longer texts are made each time. */
    private static final int LONGEST = 128;

    private final @Nullable String[] slots = new String[SLOTS];

    /** The text of {@code length} bytes of UTF-8 from {@code from}; malformed sequences become U+FFFD. */
    String of(byte[] data, int from, int length) {
        if (length > LONGEST) {
            return new String(data, from, length, StandardCharsets.UTF_8);
        }
        int h = length;
        int all = 0;
        for (int i = from; i < from + length; i++) {
            byte b = data[i];
            h = h * 31 + b;
            all |= b;
        }
        if (all < 0) {
            return new String(data, from, length, StandardCharsets.UTF_8);
        }
        int slot = (h ^ h >>> 15) & SLOTS - 2;
        String known = slots[slot];
        if (known != null && same(known, data, from, length)) {
            return known;
        }
        String other = slots[slot + 1];
        if (other != null && same(other, data, from, length)) {
            return other;
        }
        String fresh = new String(data, from, length, StandardCharsets.ISO_8859_1);
        slots[slot] = fresh;
        slots[slot + 1] = known;
        return fresh;
    }

    /** Whether the bytes, which are ASCII, are the text. */
    private static boolean same(String s, byte[] data, int from, int length) {
        if (s.length() != length) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            if (s.charAt(i) != data[from + i]) {
                return false;
            }
        }
        return true;
    }
}
