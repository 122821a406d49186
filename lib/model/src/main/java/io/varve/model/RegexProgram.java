package io.varve.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A regular expression as a nondeterministic automaton over classes of code points that no part of the expression tells apart.
 * Immutable.
 */
final class RegexProgram {
    /** Goes on at {@code x} and at {@code y}. */
    static final byte SPLIT = 1;
    /** Takes one character of the set {@code y}, goes on at {@code x}. */
    static final byte CHARS = 2;
    /** Goes on at {@code x} where the condition {@code y} holds. */
    static final byte ASSERT = 3;
    /** The expression matches if the value ends here. */
    static final byte MATCH = 4;

    final byte[] op;
    final int[] x;
    final int[] y;
    final int start;
    final boolean hasAsserts;
    /** Classes of characters. */
    final int classCount;
    /** Class of a character below 128. */
    final char[] asciiClass = new char[128];
    /** First code points of the segments, sorted, and the class of each. */
    private final int[] segments;
    private final char[] segmentClass;
    /** Which classes a set has: bit {@code class} of row {@code set}. */
    private final long[][] setClasses;
    /** Whether from this instruction on anything whatsoever matches. */
    final boolean[] anything;
    /** Some character of each class. */
    final int[] example;

    private RegexProgram(Builder b, int start) {
        op = Arrays.copyOf(b.op, b.size);
        x = Arrays.copyOf(b.x, b.size);
        y = Arrays.copyOf(b.y, b.size);
        this.start = start;
        hasAsserts = b.asserts;
        List<CharRanges> sets = new ArrayList<>(b.sets.keySet());
        List<CharRanges> distinctions = new ArrayList<>(sets);
        if (hasAsserts) {
            distinctions.add(CharRanges.of('\n', '\n'));
            distinctions.add(UnicodeClasses.WORD);
        }
        segments = segments(distinctions);
        int[] of = classes(distinctions, segments);
        int classes = 0;
        segmentClass = new char[segments.length];
        for (int i = 0; i < segments.length; i++) {
            segmentClass[i] = (char) of[i];
            classes = Math.max(classes, of[i] + 1);
        }
        classCount = classes;
        example = new int[classes];
        for (int i = segments.length - 1; i >= 0; i--) {
            example[of[i]] = segments[i];
        }
        for (int c = 0; c < 128; c++) {
            asciiClass[c] = (char) classOf(c);
        }
        setClasses = new long[sets.size()][(classes + 63) / 64];
        for (int s = 0; s < sets.size(); s++) {
            CharRanges set = sets.get(s);
            for (int r = 0; r < set.rangeCount(); r++) {
                for (int i = segmentAt(set.first(r)); i < segments.length && segments[i] <= set.last(r); i++) {
                    setClasses[s][of[i] >> 6] |= 1L << of[i];
                }
            }
        }
        anything = new boolean[op.length];
        for (int pc = 0; pc < op.length; pc++) {
            anything[pc] = op[pc] == CHARS && sets.get(y[pc]).isAny() && loopsToMatch(pc);
        }
    }

    /** Whether after a character the program may take the same one again or end. */
    private boolean loopsToMatch(int pc) {
        int next = x[pc];
        return op[next] == SPLIT && x[next] == pc && op[y[next]] == MATCH;
    }

    static RegexProgram of(RegexNode node) {
        Builder b = new Builder();
        int match = b.add(MATCH, 0, 0);
        return new RegexProgram(b, b.compile(node, match));
    }

    boolean has(int set, int characterClass) {
        return (setClasses[set][characterClass >> 6] >>> characterClass & 1) != 0;
    }

    int classOf(int c) {
        return segmentClass[segmentAt(c)];
    }

    private int segmentAt(int c) {
        int i = Arrays.binarySearch(segments, c);
        return i >= 0 ? i : -i - 2;
    }

    private static int[] segments(List<CharRanges> sets) {
        int n = 1;
        for (CharRanges s : sets) {
            n += 2 * s.rangeCount();
        }
        int[] bounds = new int[n];
        int at = 1;
        for (CharRanges s : sets) {
            for (int r = 0; r < s.rangeCount(); r++) {
                bounds[at++] = s.first(r);
                bounds[at++] = s.last(r) + 1;
            }
        }
        Arrays.sort(bounds);
        int w = 0;
        for (int b : bounds) {
            if (b <= CharRanges.MAX && (w == 0 || bounds[w - 1] != b)) {
                bounds[w++] = b;
            }
        }
        return Arrays.copyOf(bounds, w);
    }

    /** Numbers the segments so that two have the same number if and only if every set has both or neither. */
    private static int[] classes(List<CharRanges> sets, int[] segments) {
        int[] of = new int[segments.length];
        int next = 1;
        for (CharRanges s : sets) {
            Map<Integer, Integer> split = new HashMap<>();
            for (int r = 0; r < s.rangeCount(); r++) {
                int i = Arrays.binarySearch(segments, s.first(r));
                for (; i < segments.length && segments[i] <= s.last(r); i++) {
                    Integer to = split.get(of[i]);
                    if (to == null) {
                        to = next++;
                        split.put(of[i], to);
                    }
                    of[i] = to;
                }
            }
        }
        Map<Integer, Integer> dense = new HashMap<>();
        for (int i = 0; i < of.length; i++) {
            Integer d = dense.get(of[i]);
            if (d == null) {
                d = dense.size();
                dense.put(of[i], d);
            }
            of[i] = d;
        }
        return of;
    }

    /** Builds from the end to the start: each part knows where it goes on. */
    private static final class Builder {
        byte[] op = new byte[64];
        int[] x = new int[64];
        int[] y = new int[64];
        int size;
        boolean asserts;
        final Map<CharRanges, Integer> sets = new LinkedHashMap<>();

        int add(byte o, int toX, int toY) {
            if (size == op.length) {
                op = Arrays.copyOf(op, 2 * size);
                x = Arrays.copyOf(x, 2 * size);
                y = Arrays.copyOf(y, 2 * size);
            }
            op[size] = o;
            x[size] = toX;
            y[size] = toY;
            return size++;
        }

        private int chars(CharRanges set, int next) {
            Integer known = sets.get(set);
            if (known == null) {
                known = sets.size();
                sets.put(set, known);
            }
            return add(CHARS, next, known);
        }

        int compile(RegexNode node, int next) {
            return switch (node) {
                case RegexNode.Literal l -> literal(l, next);
                case RegexNode.Chars c -> chars(c.set(), next);
                case RegexNode.Assert a -> {
                    asserts = true;
                    yield add(ASSERT, next, a.kind().ordinal());
                }
                case RegexNode.Concat c -> {
                    int at = next;
                    for (int i = c.parts().size() - 1; i >= 0; i--) {
                        at = compile(c.parts().get(i), at);
                    }
                    yield at;
                }
                case RegexNode.Alternate a -> {
                    int at = compile(a.parts().getLast(), next);
                    for (int i = a.parts().size() - 2; i >= 0; i--) {
                        at = add(SPLIT, compile(a.parts().get(i), next), at);
                    }
                    yield at;
                }
                case RegexNode.Repeat r -> repeat(r, next);
            };
        }

        private int literal(RegexNode.Literal l, int next) {
            int at = next;
            String text = l.text();
            for (int i = text.length(); i > 0;) {
                int c = text.codePointBefore(i);
                i -= Character.charCount(c);
                CharRanges.Builder set = new CharRanges.Builder();
                if (l.fold()) {
                    set.addFolded(c, c);
                } else {
                    set.add(c, c);
                }
                at = chars(set.build(), at);
            }
            return at;
        }

        private int repeat(RegexNode.Repeat r, int next) {
            int at = next;
            if (r.max() < 0) {
                int split = add(SPLIT, 0, at);
                // Compiled first: it may put larger arrays in the place of these.
                int sub = compile(r.sub(), split);
                x[split] = sub;
                // One copy can be the loop itself: x+ enters it at x.
                at = r.min() == 0 ? split : sub;
                for (int i = 1; i < r.min(); i++) {
                    at = compile(r.sub(), at);
                }
                return at;
            }
            for (int i = r.min(); i < r.max(); i++) {
                at = add(SPLIT, compile(r.sub(), at), next);
            }
            for (int i = 0; i < r.min(); i++) {
                at = compile(r.sub(), at);
            }
            return at;
        }
    }
}
