package io.varve.model;

/**
 * The order of strings by their UTF-8 bytes, which is the order of code points. Java's own {@code compareTo} is the order of
 * UTF-16 units and differs once surrogates meet U+E000 and above.
 */
public final class Utf8Order {
    private Utf8Order() {
    }

    /** Negative, zero or positive as {@code a} sorts before, with or after {@code b}. */
    public static int compare(String a, String b) {
        int n = Math.min(a.length(), b.length());
        for (int i = 0; i < n; i++) {
            char x = a.charAt(i);
            char y = b.charAt(i);
            if (x != y) {
                // Surrogates (U+D800..DFFF) stand for code points above every other UTF-16 unit.
                boolean xs = Character.isSurrogate(x);
                boolean ys = Character.isSurrogate(y);
                return xs == ys ? x - y : xs ? 1 : -1;
            }
        }
        return a.length() - b.length();
    }
}
