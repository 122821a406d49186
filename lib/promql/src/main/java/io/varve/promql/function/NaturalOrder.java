package io.varve.promql.function;

import io.varve.model.Utf8Order;

/**
 * The order of texts with numbers in them that Prometheus' {@code sort_by_label} has: runs of digits compare as numbers. It is no order
 * in the strict sense, and what it says of texts that differ in leading zeros alone, or that are empty, shows in results.
 */
public final class NaturalOrder {
    private NaturalOrder() {
    }

    /** Whether {@code a} comes before {@code b}; of {@code 1} and {@code 01} either does, of an empty text and another one neither. */
    public static boolean precedes(String a, String b) {
        int i = 0;
        int j = 0;
        while (i < a.length() && j < b.length()) {
            int iEnd = run(a, i);
            int jEnd = run(b, j);
            String x = a.substring(i, iEnd);
            String y = b.substring(j, jEnd);
            long p = number(x);
            long q = number(y);
            if (p >= 0 && q >= 0) {
                if (p != q) {
                    return p < q;
                }
            } else if (!x.equals(y)) {
                return Utf8Order.compare(x, y) < 0;
            }
            if (iEnd == a.length()) {
                return true;
            }
            i = iEnd;
            j = jEnd;
        }
        return false;
    }

    /** The number that the digits are; −1 where it does not fit into 64 bits, or where they are no digits. */
    private static long number(String run) {
        if (!digit(run.charAt(0))) {
            return -1;
        }
        try {
            return Long.parseLong(run);
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    private static int run(String s, int from) {
        boolean d = digit(s.charAt(from));
        int i = from + 1;
        while (i < s.length() && digit(s.charAt(i)) == d) {
            i++;
        }
        return i;
    }

    private static boolean digit(char c) {
        return c >= '0' && c <= '9';
    }
}
