package io.varve.model;

import java.util.Arrays;

/** Unicode's simple case folding: which code points are the same where case is ignored. */
final class CaseFolding {
    /** First code point that has a twin. */
    static final int FIRST = 'A';
    /** Last one. */
    static final int LAST = 0x1E943;
    private static final int[] NONE = {};

    private CaseFolding() {
    }

    /** The same for all that differ in case only. */
    static int key(int c) {
        if (c < 0x80) {
            return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
        }
        // The Turkish i's have no twin in simple folding, though each has the case mapping of an ASCII letter.
        return c == 0x130 || c == 0x131 || UnicodeClasses.tooNew(c) ? c : Character.toLowerCase(Character.toUpperCase(c));
    }

    /** All code points with the same key, itself included; empty where there is no other. Not to be changed. */
    static int[] orbit(int c) {
        if (c < FIRST || c > LAST) {
            return NONE;
        }
        int i = Arrays.binarySearch(Orbits.KEYS, key(c));
        return i < 0 ? NONE : Orbits.MEMBERS[i];
    }

    /** Made at the first use: most processes never need it. */
    private static final class Orbits {
        static final int[] KEYS;
        static final int[][] MEMBERS;

        static {
            long[] pairs = new long[2 * (LAST - FIRST + 1)];
            int n = 0;
            for (int c = FIRST; c <= LAST; c++) {
                int key = key(c);
                if (key != c) {
                    // The key itself may come once for each of its twins; that is put right below.
                    pairs[n++] = (long) key << 32 | c;
                    pairs[n++] = (long) key << 32 | key;
                }
            }
            Arrays.sort(pairs, 0, n);
            int distinct = 0;
            for (int i = 0; i < n; i++) {
                if (i == 0 || pairs[i] != pairs[i - 1]) {
                    pairs[distinct++] = pairs[i];
                }
            }
            n = distinct;
            int[] keys = new int[n];
            int[][] members = new int[n][];
            int k = 0;
            for (int i = 0; i < n;) {
                int j = i;
                while (j < n && pairs[j] >>> 32 == pairs[i] >>> 32) {
                    j++;
                }
                keys[k] = (int) (pairs[i] >>> 32);
                members[k] = new int[j - i];
                for (int m = i; m < j; m++) {
                    members[k][m - i] = (int) pairs[m];
                }
                k++;
                i = j;
            }
            KEYS = Arrays.copyOf(keys, k);
            MEMBERS = Arrays.copyOf(members, k);
        }
    }
}
