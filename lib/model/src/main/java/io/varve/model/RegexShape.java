package io.varve.model;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** How values are compared with a regular expression: the cheapest of a few ways that is exact. Immutable, safe for many threads. */
sealed interface RegexShape {
    /** How many literals, or sequences of literals and gaps, an expression may be taken apart into. */
    int MAX_SEQUENCES = 16;

    /** Whether the whole value matches. */
    boolean matches(String value);

    /** {@code .*} */
    record Everything() implements RegexShape {
        @Override
        public boolean matches(String value) {
            return true;
        }
    }

    /** {@code .+} */
    record NonEmpty() implements RegexShape {
        @Override
        public boolean matches(String value) {
            return !value.isEmpty();
        }
    }

    /** One literal. */
    record One(String literal) implements RegexShape {
        @Override
        public boolean matches(String value) {
            return literal.equals(value);
        }
    }

    /** One of many literals. */
    record OneOf(Set<String> literals) implements RegexShape {
        @Override
        public boolean matches(String value) {
            return literals.contains(value);
        }
    }

    /** One of several shapes. */
    record Any(RegexShape[] shapes) implements RegexShape {
        @Override
        public boolean matches(String value) {
            for (RegexShape s : shapes) {
                if (s.matches(value)) {
                    return true;
                }
            }
            return false;
        }
    }

    /**
     * Anything, in the end: what every match ends with is compared first, then the automaton runs.
     */
    record Automaton(String suffix, RegexDfa dfa) implements RegexShape {
        @Override
        public boolean matches(String value) {
            return (suffix.isEmpty() || value.endsWith(suffix)) && dfa.matches(value);
        }
    }

    /**
     * Literals with gaps of any characters between them; the first stands at the start, the last at the end. A gap is at least so
     * many code points long. Taking the first place of each literal is right, for nothing but gaps follows from it.
     *
     * @param literals at least two, the first and the last perhaps empty
     * @param folds whether case is ignored, for each
     * @param gaps shortest length of the gap behind each literal but the last
     */
    record Glob(String[] literals, boolean[] folds, int[] gaps) implements RegexShape {
        @Override
        public boolean matches(String v) {
            int last = literals.length - 1;
            int pos = literals[0].length();
            int end = v.length() - literals[last].length();
            if (pos > end || pos > 0 && !at(v, 0, literals[0], folds[0])
                    || end < v.length() && !at(v, end, literals[last], folds[last])) {
                return false;
            }
            for (int i = 1; i < last; i++) {
                pos = skip(v, pos, end, gaps[i - 1]);
                if (pos < 0) {
                    return false;
                }
                pos = folds[i] ? indexOf(v, literals[i], pos, end) : v.indexOf(literals[i], pos);
                if (pos < 0) {
                    return false;
                }
                pos += literals[i].length();
                if (pos > end) {
                    return false;
                }
            }
            return skip(v, pos, end, gaps[last - 1]) >= 0;
        }

        private static boolean at(String v, int pos, String literal, boolean fold) {
            if (!fold) {
                return v.startsWith(literal, pos);
            }
            for (int i = 0; i < literal.length(); i++) {
                if (!same(v.charAt(pos + i), literal.charAt(i))) {
                    return false;
                }
            }
            return true;
        }

        private static boolean same(char a, char b) {
            if (a == b) {
                return true;
            }
            return CaseFolding.key(a) == CaseFolding.key(b);
        }

        private static int indexOf(String v, String literal, int from, int end) {
            for (int i = from; i + literal.length() <= end; i++) {
                if (at(v, i, literal, true)) {
                    return i;
                }
            }
            return -1;
        }

        /** Steps over code points, −1 where there are too few. */
        private static int skip(String v, int from, int end, int codePoints) {
            int pos = from;
            for (int i = 0; i < codePoints; i++) {
                if (pos >= end) {
                    return -1;
                }
                pos += Character.isHighSurrogate(v.charAt(pos)) && pos + 1 < end && Character.isLowSurrogate(v.charAt(pos + 1)) ? 2 : 1;
            }
            return pos;
        }
    }

    /** The finite list of literals that an expression stands for, in any order; null where there are more than {@code max}. */
    static @Nullable Set<String> literals(RegexNode node, int max) {
        switch (node) {
            case RegexNode.Literal l -> {
                if (!l.fold()) {
                    return Set.of(l.text());
                }
                Set<String> out = Set.of("");
                for (int c : l.text().codePoints().toArray()) {
                    int[] orbit = CaseFolding.orbit(c);
                    Set<String> choices = new LinkedHashSet<>();
                    for (int o : orbit.length == 0 ? new int[]{c} : orbit) {
                        choices.add(Character.toString(o));
                    }
                    out = product(out, choices, max);
                    if (out == null) {
                        return null;
                    }
                }
                return out;
            }
            case RegexNode.Chars c -> {
                if (c.set().size() > max) {
                    return null;
                }
                Set<String> out = new LinkedHashSet<>();
                for (int r = 0; r < c.set().rangeCount(); r++) {
                    for (int k = c.set().first(r); k <= c.set().last(r); k++) {
                        if (k >= Character.MIN_SURROGATE && k <= Character.MAX_SURROGATE) {
                            return null;
                        }
                        out.add(Character.toString(k));
                    }
                }
                return out;
            }
            case RegexNode.Assert a -> {
                return null;
            }
            case RegexNode.Concat c -> {
                Set<String> out = Set.of("");
                for (RegexNode part : c.parts()) {
                    Set<String> more = literals(part, max);
                    out = more == null ? null : product(out, more, max);
                    if (out == null) {
                        return null;
                    }
                }
                return out;
            }
            case RegexNode.Alternate a -> {
                Set<String> out = new LinkedHashSet<>();
                for (RegexNode part : a.parts()) {
                    Set<String> more = literals(part, max);
                    if (more == null) {
                        return null;
                    }
                    out.addAll(more);
                    if (out.size() > max) {
                        return null;
                    }
                }
                return out;
            }
            case RegexNode.Repeat r -> {
                Set<String> sub = r.max() < 0 ? null : literals(r.sub(), max);
                if (sub == null) {
                    return null;
                }
                Set<String> power = Set.of("");
                Set<String> out = new LinkedHashSet<>();
                long letters = 0;
                for (int i = 0;; i++) {
                    if (i >= r.min()) {
                        out.addAll(power);
                    }
                    if (i == r.max()) {
                        return out.size() > max ? null : out;
                    }
                    power = product(power, sub, max);
                    // One literal a thousand times over is finite too, but not worth its letters.
                    if (power == null || (letters += power.iterator().hasNext() ? power.iterator().next().length() : 0) > 10_000) {
                        return null;
                    }
                }
            }
        }
    }

    private static @Nullable Set<String> product(Set<String> heads, Set<String> tails, int max) {
        if ((long) heads.size() * tails.size() > max) {
            return null;
        }
        if (heads.size() == 1 && heads.contains("")) {
            return tails;
        }
        Set<String> out = new LinkedHashSet<>();
        for (String h : heads) {
            for (String t : tails) {
                out.add(h + t);
            }
        }
        return out;
    }

    /**
     * A part of a sequence: a literal, or where it is null a gap.
     *
     * @param literal the literal
     * @param fold whether case is ignored
     * @param gap shortest length of the gap in code points
     */
    record Part(@Nullable String literal, boolean fold, int gap) {
    }

    /** The sequences of literals and gaps that an expression stands for; null where it is something else, or too many. */
    static @Nullable List<List<Part>> sequences(RegexNode node) {
        switch (node) {
            case RegexNode.Literal l -> {
                // Case is ignored unit by unit later on, which surrogates do not allow.
                boolean hard = l.fold() && l.text().chars().anyMatch(c -> Character.isSurrogate((char) c));
                return hard ? null : List.of(List.of(new Part(l.text(), l.fold(), 0)));
            }
            case RegexNode.Chars c -> {
                Set<String> literals = literals(c, MAX_SEQUENCES);
                if (literals == null) {
                    return null;
                }
                List<List<Part>> out = new ArrayList<>();
                for (String s : literals) {
                    out.add(List.of(new Part(s, false, 0)));
                }
                return out;
            }
            case RegexNode.Assert a -> {
                return null;
            }
            case RegexNode.Concat c -> {
                List<List<Part>> out = List.of(List.of());
                for (RegexNode part : c.parts()) {
                    List<List<Part>> more = sequences(part);
                    if (more == null || out.size() * more.size() > MAX_SEQUENCES) {
                        return null;
                    }
                    List<List<Part>> joined = new ArrayList<>();
                    for (List<Part> head : out) {
                        for (List<Part> tail : more) {
                            List<Part> both = new ArrayList<>(head);
                            both.addAll(tail);
                            joined.add(both);
                        }
                    }
                    out = joined;
                }
                return out;
            }
            case RegexNode.Alternate a -> {
                List<List<Part>> out = new ArrayList<>();
                for (RegexNode part : a.parts()) {
                    List<List<Part>> more = sequences(part);
                    if (more == null || out.size() + more.size() > MAX_SEQUENCES) {
                        return null;
                    }
                    out.addAll(more);
                }
                return out;
            }
            case RegexNode.Repeat r -> {
                if (r.max() < 0 && r.sub() instanceof RegexNode.Chars c && c.set().isAny()) {
                    return List.of(List.of(new Part(null, false, r.min())));
                }
                if (r.min() == 0 && r.max() == 1) {
                    List<List<Part>> some = sequences(r.sub());
                    if (some == null || some.size() == MAX_SEQUENCES) {
                        return null;
                    }
                    List<List<Part>> out = new ArrayList<>(some);
                    out.add(List.of());
                    return out;
                }
                return null;
            }
        }
    }

    /** A sequence as a shape; null where literals with and without case stand side by side. */
    static @Nullable RegexShape of(List<Part> sequence) {
        List<String> literals = new ArrayList<>();
        List<Boolean> folds = new ArrayList<>();
        List<Integer> gaps = new ArrayList<>();
        String text = "";
        boolean fold = false;
        int gap = -1;
        for (Part p : sequence) {
            String literal = p.literal();
            if (literal == null) {
                if (gap < 0 || !text.isEmpty()) {
                    literals.add(text);
                    folds.add(fold);
                    gaps.add(p.gap());
                    text = "";
                    fold = false;
                } else {
                    gaps.set(gaps.size() - 1, gaps.getLast() + p.gap());
                }
                gap = 0;
            } else if (text.isEmpty() || fold == p.fold()) {
                text += literal;
                fold = p.fold();
            } else {
                return null;
            }
        }
        if (gap < 0) {
            return fold ? new FoldedOne(text) : new One(text);
        }
        literals.add(text);
        folds.add(fold);
        if (literals.size() == 2 && literals.getFirst().isEmpty() && literals.getLast().isEmpty() && gaps.getFirst() <= 1) {
            return gaps.getFirst() == 0 ? new Everything() : new NonEmpty();
        }
        if (!folds.contains(true)) {
            RegexShape simple = simple(literals, gaps);
            if (simple != null) {
                return simple;
            }
        }
        boolean[] foldArray = new boolean[folds.size()];
        for (int i = 0; i < foldArray.length; i++) {
            foldArray[i] = folds.get(i);
        }
        return new Glob(literals.toArray(String[]::new), foldArray, gaps.stream().mapToInt(Integer::intValue).toArray());
    }

    /** The commonest sequences, which need no loop; null for others. */
    private static @Nullable RegexShape simple(List<String> literals, List<Integer> gaps) {
        if (literals.size() == 2 && gaps.getFirst() <= 1) {
            if (literals.getLast().isEmpty()) {
                return new Prefix(literals.getFirst(), gaps.getFirst());
            }
            if (literals.getFirst().isEmpty()) {
                return new Suffix(literals.getLast(), gaps.getFirst());
            }
        }
        if (literals.size() == 3 && literals.getFirst().isEmpty() && literals.getLast().isEmpty() && gaps.getFirst() == 0
                && gaps.getLast() == 0) {
            return new Contains(literals.get(1));
        }
        return null;
    }

    /**
     * A literal, then anything.
     *
     * @param more how many characters follow at least, 0 or 1
     */
    record Prefix(String literal, int more) implements RegexShape {
        @Override
        public boolean matches(String value) {
            return value.length() >= literal.length() + more && value.startsWith(literal);
        }
    }

    /**
     * Anything, then a literal.
     *
     * @param more how many characters stand before it at least, 0 or 1
     */
    record Suffix(String literal, int more) implements RegexShape {
        @Override
        public boolean matches(String value) {
            return value.length() >= literal.length() + more && value.endsWith(literal);
        }
    }

    /** A literal somewhere. */
    record Contains(String literal) implements RegexShape {
        @Override
        public boolean matches(String value) {
            return value.contains(literal);
        }
    }

    /** One literal whose case does not matter. */
    record FoldedOne(String literal) implements RegexShape {
        @Override
        public boolean matches(String value) {
            return value.length() == literal.length() && Glob.at(value, 0, literal, true);
        }
    }

    /** The cheapest shape of an expression without useless conditions at its ends. */
    static RegexShape of(RegexNode node) {
        Set<String> few = literals(node, 64);
        if (few != null && !few.isEmpty()) {
            return few.size() == 1 ? new One(few.iterator().next()) : new OneOf(new HashSet<>(few));
        }
        List<List<Part>> sequences = sequences(node);
        if (sequences != null && !sequences.isEmpty()) {
            List<RegexShape> shapes = new ArrayList<>();
            for (List<Part> s : sequences) {
                RegexShape shape = of(s);
                if (shape == null) {
                    return automaton(node);
                }
                if (shape instanceof Everything) {
                    return shape;
                }
                shapes.add(shape);
            }
            return shapes.size() == 1 ? shapes.getFirst() : new Any(shapes.toArray(RegexShape[]::new));
        }
        Set<String> many = literals(node, 4096);
        return many == null || many.isEmpty() ? automaton(node) : new OneOf(new HashSet<>(many));
    }

    private static RegexShape automaton(RegexNode node) {
        return new Automaton(RegexEnds.suffix(node), new RegexDfa(RegexProgram.of(node)));
    }
}
