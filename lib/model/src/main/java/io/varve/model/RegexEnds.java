package io.varve.model;

import java.util.ArrayList;
import java.util.List;

/** What can be said of both ends of all matches of an expression. */
final class RegexEnds {
    private RegexEnds() {
    }

    /** Without the conditions that always hold where the whole value has to match: ^ at the start, $ at the end. */
    static RegexNode withoutAnchors(RegexNode node) {
        return strip(strip(node, true), false);
    }

    private static RegexNode strip(RegexNode node, boolean start) {
        return switch (node) {
            case RegexNode.Assert a -> switch (a.kind()) {
                case BEGIN_TEXT, BEGIN_LINE -> start ? RegexNode.EMPTY : a;
                case END_TEXT, END_LINE -> start ? a : RegexNode.EMPTY;
                case WORD_BOUNDARY, NO_WORD_BOUNDARY -> a;
            };
            case RegexNode.Alternate a -> {
                List<RegexNode> parts = new ArrayList<>();
                for (RegexNode part : a.parts()) {
                    parts.add(strip(part, start));
                }
                yield new RegexNode.Alternate(List.copyOf(parts));
            }
            case RegexNode.Concat c -> {
                List<RegexNode> parts = new ArrayList<>(c.parts());
                while (!parts.isEmpty()) {
                    RegexNode edge = strip(start ? parts.getFirst() : parts.getLast(), start);
                    if (edge instanceof RegexNode.Concat e && e.parts().isEmpty()) {
                        // Nothing is left of it: the next part is at the edge.
                        parts.remove(start ? 0 : parts.size() - 1);
                        continue;
                    }
                    parts.set(start ? 0 : parts.size() - 1, edge);
                    break;
                }
                yield parts.size() == 1 ? parts.getFirst() : new RegexNode.Concat(List.copyOf(parts));
            }
            case RegexNode.Literal l -> l;
            case RegexNode.Chars c -> c;
            case RegexNode.Repeat r -> r;
        };
    }

    /**
     * A literal that every match begins or ends with.
     *
     * @param whole whether a match is nothing but that
     */
    private record End(String text, boolean whole) {
    }

    /** A literal that every match begins with, "" where none is known. */
    static String prefix(RegexNode node) {
        return end(node, true).text();
    }

    /** A literal that every match ends with, "" where none is known. */
    static String suffix(RegexNode node) {
        return end(node, false).text();
    }

    private static End end(RegexNode node, boolean start) {
        return switch (node) {
            case RegexNode.Literal l -> l.fold() ? new End("", false) : new End(l.text(), true);
            case RegexNode.Chars c -> new End("", false);
            case RegexNode.Assert a -> new End("", true);
            case RegexNode.Concat c -> {
                StringBuilder text = new StringBuilder();
                boolean whole = true;
                int n = c.parts().size();
                for (int i = 0; i < n && whole; i++) {
                    End e = end(c.parts().get(start ? i : n - 1 - i), start);
                    text.insert(start ? text.length() : 0, e.text());
                    whole = e.whole();
                }
                yield new End(text.toString(), whole);
            }
            case RegexNode.Alternate a -> {
                String common = end(a.parts().getFirst(), start).text();
                for (RegexNode part : a.parts()) {
                    common = common(common, end(part, start).text(), start);
                }
                yield new End(common, false);
            }
            case RegexNode.Repeat r -> new End(r.min() == 0 ? "" : end(r.sub(), start).text(), false);
        };
    }

    private static String common(String a, String b, boolean start) {
        int max = Math.min(a.length(), b.length());
        int n = 0;
        while (n < max && (start ? a.charAt(n) == b.charAt(n) : a.charAt(a.length() - 1 - n) == b.charAt(b.length() - 1 - n))) {
            n++;
        }
        // Half a pair of surrogates is no text.
        if (n > 0 && (start ? Character.isHighSurrogate(a.charAt(n - 1)) : Character.isLowSurrogate(a.charAt(a.length() - n)))) {
            n--;
        }
        return start ? a.substring(0, n) : a.substring(a.length() - n);
    }
}
