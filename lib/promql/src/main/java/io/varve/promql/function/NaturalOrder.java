package io.varve.promql.function;

import io.varve.model.Utf8Order;

/** The order of texts with numbers in them, as Prometheus' {@code sort_by_label} has it: digits compare as numbers. */
public final class NaturalOrder {
    private NaturalOrder() {
    }

    /** Negative, zero or positive as {@code a} comes before, with or after {@code b}. */
    public static int compare(String a, String b) {
        int i = 0;
        int j = 0;
        while (i < a.length() && j < b.length()) {
            int iEnd = run(a, i);
            int jEnd = run(b, j);
            String x = a.substring(i, iEnd);
            String y = b.substring(j, jEnd);
            if (!x.equals(y)) {
                boolean xNumber = digit(x.charAt(0));
                boolean yNumber = digit(y.charAt(0));
                if (xNumber && yNumber) {
                    String p = x.replaceFirst("^0+(?=.)", "");
                    String q = y.replaceFirst("^0+(?=.)", "");
                    int c = p.length() != q.length() ? Integer.compare(p.length(), q.length()) : p.compareTo(q);
                    if (c != 0) {
                        return c;
                    }
                    if (x.length() != y.length()) {
                        return Integer.compare(x.length(), y.length());
                    }
                } else {
                    return Utf8Order.compare(x, y);
                }
            }
            i = iEnd;
            j = jEnd;
        }
        return Integer.compare(a.length() - i, b.length() - j);
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
