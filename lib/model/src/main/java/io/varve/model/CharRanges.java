package io.varve.model;

import java.util.Arrays;

/** A set of code points: sorted ranges that neither overlap nor touch. Immutable. */
final class CharRanges {
    static final int MAX = Character.MAX_CODE_POINT;
    static final CharRanges ANY = new CharRanges(new int[]{0, MAX});
    static final CharRanges ANY_BUT_NEWLINE = new CharRanges(new int[]{0, '\n' - 1, '\n' + 1, MAX});

    /** first, last, first, last, … */
    private final int[] bounds;

    private CharRanges(int[] bounds) {
        this.bounds = bounds;
    }

    static CharRanges of(int... bounds) {
        return new Builder().addAll(bounds).build();
    }

    int rangeCount() {
        return bounds.length / 2;
    }

    int first(int range) {
        return bounds[2 * range];
    }

    int last(int range) {
        return bounds[2 * range + 1];
    }

    /** How many code points there are. */
    int size() {
        int n = 0;
        for (int i = 0; i < bounds.length; i += 2) {
            n += bounds[i + 1] - bounds[i] + 1;
        }
        return n;
    }

    boolean isAny() {
        return bounds.length == 2 && bounds[0] == 0 && bounds[1] == MAX;
    }

    CharRanges negated() {
        Builder b = new Builder();
        int next = 0;
        for (int i = 0; i < bounds.length; i += 2) {
            if (next < bounds[i]) {
                b.add(next, bounds[i] - 1);
            }
            next = bounds[i + 1] + 1;
        }
        if (next <= MAX) {
            b.add(next, MAX);
        }
        return b.build();
    }

    /** With everything that differs in case only. */
    CharRanges folded() {
        Builder b = new Builder();
        for (int i = 0; i < bounds.length; i += 2) {
            b.addFolded(bounds[i], bounds[i + 1]);
        }
        return b.build();
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof CharRanges c && Arrays.equals(bounds, c.bounds);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(bounds);
    }

    @Override
    public String toString() {
        return Arrays.toString(bounds);
    }

    /** Collects ranges in any order. */
    static final class Builder {
        private int[] bounds = new int[16];
        private int size;

        Builder add(int first, int last) {
            // Ranges mostly come in order: growing the last one keeps the list short.
            if (size > 0 && first >= bounds[size - 2] && first <= bounds[size - 1] + 1) {
                bounds[size - 1] = Math.max(bounds[size - 1], last);
                return this;
            }
            if (size == bounds.length) {
                bounds = Arrays.copyOf(bounds, 2 * size);
            }
            bounds[size++] = first;
            bounds[size++] = last;
            return this;
        }

        Builder addAll(int... pairs) {
            for (int i = 0; i < pairs.length; i += 2) {
                add(pairs[i], pairs[i + 1]);
            }
            return this;
        }

        Builder addAll(CharRanges set) {
            return addAll(set.bounds);
        }

        Builder addFolded(int first, int last) {
            add(first, last);
            for (int c = Math.max(first, CaseFolding.FIRST); c <= Math.min(last, CaseFolding.LAST); c++) {
                for (int o : CaseFolding.orbit(c)) {
                    add(o, o);
                }
            }
            return this;
        }

        CharRanges build() {
            int n = size / 2;
            long[] sorted = new long[n];
            for (int i = 0; i < n; i++) {
                sorted[i] = (long) bounds[2 * i] << 32 | bounds[2 * i + 1];
            }
            Arrays.sort(sorted);
            int[] out = new int[size];
            int w = 0;
            for (long r : sorted) {
                int first = (int) (r >>> 32);
                int last = (int) r;
                if (w > 0 && first <= out[w - 1] + 1) {
                    out[w - 1] = Math.max(out[w - 1], last);
                } else {
                    out[w++] = first;
                    out[w++] = last;
                }
            }
            return new CharRanges(Arrays.copyOf(out, w));
        }
    }
}
