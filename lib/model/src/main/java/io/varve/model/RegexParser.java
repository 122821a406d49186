package io.varve.model;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * RE2 syntax with the flags that Prometheus sets: Perl extensions, and {@code .} matches newlines. Accepts and refuses what Go's
 * parser does, in its words. Nesting is kept on a stack of its own and is limited, so no pattern overflows the thread's.
 */
final class RegexParser {
    private static final int OLD_CYRILLIC = 0x1C80;
    private static final int OLD_CYRILLIC_LAST = 0x1C88;
    private static final int MAX_REPEAT = 1000;
    private static final int MAX_HEIGHT = 1000;
    /** Instructions of 40 bytes in 128 MiB: Go's limit for a compiled expression. */
    private static final long MAX_SIZE = (128 << 20) / 40;

    private final String pattern;
    private int pos;
    private boolean fold;
    /** Whether the case of a character was ignored from U+1C80 to U+1C88. */
    private boolean foldsOldCyrillic;
    /** Whether case was ignored anywhere so far. */
    private boolean sawFold;
    private boolean dotNewline = true;
    private boolean oneLine = true;
    private final List<Group> open = new ArrayList<>();
    private Group group = new Group(false, false, true, true);

    /** A group that is not closed yet, or the whole expression. */
    private static final class Group {
        final boolean capture;
        final boolean outerFold;
        final boolean outerDotNewline;
        final boolean outerOneLine;
        final List<RegexNode> alternatives = new ArrayList<>();
        List<Item> items = new ArrayList<>();
        int heightOfAlternatives;
        long sizeOfAlternatives;
        int copies = 1;

        Group(boolean capture, boolean outerFold, boolean outerDotNewline, boolean outerOneLine) {
            this.capture = capture;
            this.outerFold = outerFold;
            this.outerDotNewline = outerDotNewline;
            this.outerOneLine = outerOneLine;
        }
    }

    /**
     * A node and what limits need to know of it.
     *
     * @param height levels of operators
     * @param size instructions it would compile to
     * @param copies the largest product of nested repetition counts in it
     */
    private record Item(RegexNode node, int height, long size, int copies) {
    }

    private RegexParser(String pattern) {
        this.pattern = pattern;
    }

    /** @throws InvalidRequestException in Go's words */
    static RegexNode parse(String pattern) {
        return new RegexParser(pattern).parse();
    }

    static boolean foldsOldCyrillic(String pattern) {
        RegexParser parser = new RegexParser(pattern);
        parser.parse();
        return parser.foldsOldCyrillic;
    }

    private RegexNode parse() {
        int repeatedAt = -1;
        while (pos < pattern.length()) {
            int start = pos;
            int repeated = -1;
            char c = pattern.charAt(pos);
            switch (c) {
                case '(' -> {
                    if (pattern.startsWith("(?", pos)) {
                        perlGroup();
                    } else {
                        pos++;
                        open(true);
                    }
                }
                case ')' -> {
                    if (open.isEmpty()) {
                        throw error("unexpected )", pattern);
                    }
                    pos++;
                    close();
                }
                case '|' -> {
                    pos++;
                    endAlternative();
                }
                case '^' -> {
                    pos++;
                    push(new RegexNode.Assert(oneLine ? RegexNode.Assert.Kind.BEGIN_TEXT : RegexNode.Assert.Kind.BEGIN_LINE));
                }
                case '$' -> {
                    pos++;
                    push(new RegexNode.Assert(oneLine ? RegexNode.Assert.Kind.END_TEXT : RegexNode.Assert.Kind.END_LINE));
                }
                case '.' -> {
                    pos++;
                    push(new RegexNode.Chars(dotNewline ? CharRanges.ANY : CharRanges.ANY_BUT_NEWLINE));
                }
                case '[' -> bracket();
                case '*' -> {
                    pos++;
                    repeat(0, -1, start, repeatedAt, false);
                    repeated = start;
                }
                case '+' -> {
                    pos++;
                    repeat(1, -1, start, repeatedAt, false);
                    repeated = start;
                }
                case '?' -> {
                    pos++;
                    repeat(0, 1, start, repeatedAt, false);
                    repeated = start;
                }
                case '{' -> {
                    if (counted(start, repeatedAt)) {
                        repeated = start;
                    } else {
                        pos++;
                        literal('{');
                    }
                }
                case '\\' -> backslash();
                default -> literal(next());
            }
            repeatedAt = repeated;
        }
        if (!open.isEmpty()) {
            throw error("missing closing )", pattern);
        }
        endAlternative();
        return endGroup().node();
    }

    private static InvalidRequestException error(String what, String where) {
        return new InvalidRequestException("error parsing regexp: " + what + ": `" + where + "`");
    }

    private int next() {
        int c = pattern.codePointAt(pos);
        pos += Character.charCount(c);
        return c;
    }

    private void push(RegexNode node) {
        group.items.add(new Item(node, 1, 1, 1));
    }

    private void literal(int c) {
        if (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) {
            push(new RegexNode.Chars(CharRanges.of(c, c)));
        } else {
            foldsOldCyrillic |= fold && c >= OLD_CYRILLIC && c <= OLD_CYRILLIC_LAST;
            push(new RegexNode.Literal(Character.toString(c), fold && CaseFolding.orbit(c).length > 0));
        }
    }

    private void open(boolean capture) {
        open.add(group);
        group = new Group(capture, fold, dotNewline, oneLine);
    }

    private void close() {
        endAlternative();
        Group closed = group;
        Item item = endGroup();
        fold = closed.outerFold;
        dotNewline = closed.outerDotNewline;
        oneLine = closed.outerOneLine;
        group = open.removeLast();
        if (closed.capture) {
            item = limited(new Item(item.node(), item.height() + 1, item.size() + 2, item.copies()));
        }
        group.items.add(item);
    }

    /** What stands before a | or the end of a group becomes an alternative. */
    private void endAlternative() {
        List<Item> items = group.items;
        group.items = new ArrayList<>();
        List<RegexNode> parts = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        Case textCase = Case.EITHER;
        int height = 0;
        long size = 0;
        int copies = 1;
        for (Item item : items) {
            height = Math.max(height, item.height());
            size += item.size();
            copies = Math.max(copies, item.copies());
            Case itemCase = item.node() instanceof RegexNode.Literal l ? caseOf(l) : Case.EITHER;
            boolean joins = item.node() instanceof RegexNode.Literal
                    && (itemCase == textCase || itemCase == Case.EITHER || textCase == Case.EITHER);
            if (!joins && !text.isEmpty()) {
                parts.add(new RegexNode.Literal(text.toString(), textCase == Case.IGNORED));
                text.setLength(0);
                textCase = Case.EITHER;
            }
            if (item.node() instanceof RegexNode.Literal l) {
                text.append(l.text());
                textCase = itemCase == Case.EITHER ? textCase : itemCase;
            } else {
                parts.add(item.node());
            }
        }
        if (!text.isEmpty()) {
            parts.add(new RegexNode.Literal(text.toString(), textCase == Case.IGNORED));
        }
        RegexNode node = parts.size() == 1 ? parts.getFirst() : new RegexNode.Concat(List.copyOf(parts));
        Item item = limited(new Item(node, parts.size() == 1 ? height : height + 1, Math.max(size, 1), copies));
        group.alternatives.add(item.node());
        group.heightOfAlternatives = Math.max(group.heightOfAlternatives, item.height());
        group.sizeOfAlternatives += item.size() + 1;
        group.copies = Math.max(group.copies, copies);
    }

    /** What case means to a literal: characters without it go with either kind of neighbour. */
    private enum Case {
        EXACT, IGNORED, EITHER
    }

    private Case caseOf(RegexNode.Literal l) {
        if (l.fold()) {
            return Case.IGNORED;
        }
        if (!sawFold) {
            return Case.EXACT;
        }
        return l.text().codePoints().allMatch(c -> CaseFolding.orbit(c).length == 0) ? Case.EITHER : Case.EXACT;
    }

    private Item endGroup() {
        List<RegexNode> alternatives = group.alternatives;
        boolean one = alternatives.size() == 1;
        RegexNode node = one ? alternatives.getFirst() : new RegexNode.Alternate(List.copyOf(alternatives));
        return limited(new Item(node, group.heightOfAlternatives + (one ? 0 : 1), group.sizeOfAlternatives - 1, group.copies));
    }

    private Item limited(Item item) {
        if (item.height() > MAX_HEIGHT) {
            throw error("expression nests too deeply", pattern);
        }
        if (item.size() > MAX_SIZE) {
            throw error("expression too large", pattern);
        }
        return item;
    }

    /** Applies a repetition that began at {@code start} and has just been read. */
    private void repeat(int min, int max, int start, int repeatedAt, boolean counted) {
        if (pos < pattern.length() && pattern.charAt(pos) == '?') {
            pos++;
        }
        if (repeatedAt >= 0) {
            throw error("invalid nested repetition operator", pattern.substring(repeatedAt, pos));
        }
        if (group.items.isEmpty()) {
            throw error("missing argument to repetition operator", pattern.substring(start, pos));
        }
        Item sub = group.items.removeLast();
        int times = max < 0 ? min : max;
        int copies = sub.copies();
        if (counted) {
            if (max == 0) {
                copies = 1;
            } else if ((long) copies * times > MAX_REPEAT && (min >= 2 || max >= 2)) {
                throw error("invalid repeat count", pattern.substring(start, pos));
            } else if (times > 0) {
                copies *= times;
            }
        }
        long size = max < 0 ? 2 + Math.max(min, 1) * sub.size() : max * sub.size() + max - min;
        group.items.add(limited(new Item(repeated(sub.node(), min, max), sub.height() + 1, Math.max(1, size), copies)));
    }

    private static RegexNode repeated(RegexNode node, int min, int max) {
        // (x+)+ is x+, (x*)* and their like are x*: shapes are easier to see without the outer one.
        if (node instanceof RegexNode.Repeat r && r.max() < 0 && r.min() <= 1 && max < 0) {
            return new RegexNode.Repeat(r.sub(), r.min() * min, -1);
        }
        return new RegexNode.Repeat(node, min, max);
    }

    /** {n}, {n,} or {n,m}; false where the brace is an ordinary character. */
    private boolean counted(int start, int repeatedAt) {
        int p = start + 1;
        int minEnd = digits(p);
        if (minEnd < 0) {
            return false;
        }
        int min = number(p, minEnd);
        int max = min;
        p = minEnd;
        if (p < pattern.length() && pattern.charAt(p) == ',') {
            p++;
            if (p < pattern.length() && pattern.charAt(p) == '}') {
                max = -1;
            } else {
                int maxEnd = digits(p);
                if (maxEnd < 0) {
                    return false;
                }
                max = number(p, maxEnd);
                p = maxEnd;
            }
        }
        if (p >= pattern.length() || pattern.charAt(p) != '}') {
            return false;
        }
        pos = p + 1;
        if (min > MAX_REPEAT || max > MAX_REPEAT || max >= 0 && min > max) {
            throw error("invalid repeat count", pattern.substring(start, pos));
        }
        repeat(min, max, start, repeatedAt, true);
        return true;
    }

    /** Where the decimal number at {@code p} ends, −1 where there is none or it has a leading zero. */
    private int digits(int p) {
        int end = p;
        while (end < pattern.length() && pattern.charAt(end) >= '0' && pattern.charAt(end) <= '9') {
            end++;
        }
        return end == p || pattern.charAt(p) == '0' && end > p + 1 ? -1 : end;
    }

    private int number(int from, int to) {
        return to - from > 6 ? 1_000_000 : Integer.parseInt(pattern, from, to, 10);
    }

    /** What begins with {@code (?}: a named group, a group without capture, or flags. */
    private void perlGroup() {
        int start = pos;
        boolean p = pattern.startsWith("(?P<", start) && pattern.length() > start + 4;
        if (p || pattern.startsWith("(?<", start) && pattern.length() > start + 3) {
            int end = pattern.indexOf('>', start);
            if (end < 0) {
                throw error("invalid named capture", pattern.substring(start));
            }
            String name = pattern.substring(start + (p ? 4 : 3), end);
            if (name.isEmpty() || !name.chars().allMatch(c -> c == '_' || c < 0x80 && Character.isLetterOrDigit(c))) {
                throw error("invalid named capture", pattern.substring(start, end + 1));
            }
            pos = end + 1;
            open(true);
            return;
        }
        pos = start + 2;
        boolean newFold = fold;
        boolean newDot = dotNewline;
        boolean newOneLine = oneLine;
        boolean on = true;
        boolean sawFlag = false;
        while (pos < pattern.length()) {
            int c = next();
            switch (c) {
                case 'i' -> newFold = on;
                case 'm' -> newOneLine = !on;
                case 's' -> newDot = on;
                case 'U' -> {
                    // Which of several matches is preferred makes no difference here.
                }
                case '-' -> {
                    if (!on) {
                        throw error("invalid or unsupported Perl syntax", pattern.substring(start, pos));
                    }
                    on = false;
                    sawFlag = false;
                    continue;
                }
                case ':', ')' -> {
                    if (!on && !sawFlag) {
                        throw error("invalid or unsupported Perl syntax", pattern.substring(start, pos));
                    }
                    if (c == ':') {
                        open(false);
                    }
                    fold = newFold;
                    sawFold |= fold;
                    dotNewline = newDot;
                    oneLine = newOneLine;
                    return;
                }
                default -> throw error("invalid or unsupported Perl syntax", pattern.substring(start, pos));
            }
            sawFlag = true;
        }
        throw error("invalid or unsupported Perl syntax", pattern.substring(start, pos));
    }

    private void backslash() {
        if (pos + 1 < pattern.length()) {
            switch (pattern.charAt(pos + 1)) {
                case 'A' -> {
                    pos += 2;
                    push(new RegexNode.Assert(RegexNode.Assert.Kind.BEGIN_TEXT));
                    return;
                }
                case 'z' -> {
                    pos += 2;
                    push(new RegexNode.Assert(RegexNode.Assert.Kind.END_TEXT));
                    return;
                }
                case 'b' -> {
                    pos += 2;
                    push(new RegexNode.Assert(RegexNode.Assert.Kind.WORD_BOUNDARY));
                    return;
                }
                case 'B' -> {
                    pos += 2;
                    push(new RegexNode.Assert(RegexNode.Assert.Kind.NO_WORD_BOUNDARY));
                    return;
                }
                case 'C' -> throw error("invalid escape sequence", "\\C");
                case 'Q' -> {
                    pos += 2;
                    int end = pattern.indexOf("\\E", pos);
                    int stop = end < 0 ? pattern.length() : end;
                    while (pos < stop) {
                        literal(next());
                    }
                    pos = end < 0 ? stop : end + 2;
                    return;
                }
                default -> {
                    // A class or a character; below.
                }
            }
        }
        CharRanges set = namedClass();
        if (set != null) {
            push(new RegexNode.Chars(set));
        } else {
            literal(escape());
        }
    }

    /** {@code \p{name}} or {@code \d} and its like at the current place; null where there is none. */
    private @Nullable CharRanges namedClass() {
        if (pos + 1 >= pattern.length() || pattern.charAt(pos) != '\\') {
            return null;
        }
        char c = pattern.charAt(pos + 1);
        switch (c) {
            case 'd', 'D', 's', 'S', 'w', 'W' -> {
                pos += 2;
                CharRanges set = switch (c) {
                    case 'd', 'D' -> UnicodeClasses.DIGIT;
                    case 's', 'S' -> UnicodeClasses.SPACE;
                    default -> UnicodeClasses.WORD;
                };
                return signed(set, Character.isUpperCase(c));
            }
            case 'p', 'P' -> {
                return unicodeClass(c == 'P');
            }
            default -> {
                return null;
            }
        }
    }

    private CharRanges signed(CharRanges set, boolean negated) {
        CharRanges s = fold ? set.folded() : set;
        return negated ? s.negated() : s;
    }

    private CharRanges unicodeClass(boolean negated) {
        int start = pos;
        pos += 2;
        String name;
        if (pos == pattern.length()) {
            // As Go: the end reads as the replacement character, which names no class.
            throw error("invalid character class range", pattern.substring(start));
        }
        int c = next();
        if (c == '{') {
            int end = pattern.indexOf('}', start);
            if (end < 0) {
                throw error("invalid character class range", pattern.substring(start));
            }
            name = pattern.substring(pos, end);
            pos = end + 1;
        } else {
            name = Character.toString(c);
        }
        boolean not = negated;
        if (name.startsWith("^")) {
            not = !not;
            name = name.substring(1);
        }
        CharRanges set = UnicodeClasses.unicode(name);
        if (set == null) {
            throw error("invalid character class range", pattern.substring(start, pos));
        }
        return signed(set, not);
    }

    /** The character that an escape stands for. */
    private int escape() {
        int start = pos++;
        if (pos == pattern.length()) {
            throw error("trailing backslash at end of expression", "");
        }
        int c = next();
        switch (c) {
            case '1', '2', '3', '4', '5', '6', '7' -> {
                // One digit alone would refer to a group, which RE2 has not.
                if (octalDigit()) {
                    return octal(c);
                }
            }
            case '0' -> {
                return octal(c);
            }
            case 'x' -> {
                int hex = hex();
                if (hex >= 0) {
                    return hex;
                }
            }
            case 'a' -> {
                return 7;
            }
            case 'f' -> {
                return '\f';
            }
            case 'n' -> {
                return '\n';
            }
            case 'r' -> {
                return '\r';
            }
            case 't' -> {
                return '\t';
            }
            case 'v' -> {
                return 11;
            }
            default -> {
                if (c < 0x80 && !Character.isLetterOrDigit(c)) {
                    return c;
                }
            }
        }
        throw error("invalid escape sequence", pattern.substring(start, pos));
    }

    private boolean octalDigit() {
        return pos < pattern.length() && pattern.charAt(pos) >= '0' && pattern.charAt(pos) <= '7';
    }

    private int octal(int first) {
        int r = first - '0';
        for (int i = 1; i < 3 && octalDigit(); i++) {
            r = r * 8 + pattern.charAt(pos++) - '0';
        }
        return r;
    }

    /** What follows {@code \x}: two digits, or any number of them in braces. −1 where it is neither, all looked at being read. */
    private int hex() {
        if (pos == pattern.length()) {
            return -1;
        }
        int c = next();
        if (c != '{') {
            int high = hexDigit(c);
            int low = pos == pattern.length() ? -1 : hexDigit(next());
            return high < 0 || low < 0 ? -1 : high * 16 + low;
        }
        int r = 0;
        int digits = 0;
        while (pos < pattern.length()) {
            c = next();
            if (c == '}') {
                return digits == 0 ? -1 : r;
            }
            int d = hexDigit(c);
            if (d < 0) {
                return -1;
            }
            r = r * 16 + d;
            if (r > CharRanges.MAX) {
                return -1;
            }
            digits++;
        }
        return -1;
    }

    private static int hexDigit(int c) {
        return c < 0x80 ? Character.digit(c, 16) : -1;
    }

    /** A set in brackets. */
    private void bracket() {
        int start = pos++;
        boolean negated = pos < pattern.length() && pattern.charAt(pos) == '^';
        if (negated) {
            pos++;
        }
        CharRanges.Builder set = new CharRanges.Builder();
        boolean first = true;
        while (pos >= pattern.length() || pattern.charAt(pos) != ']' || first) {
            first = false;
            CharRanges named = pattern.startsWith("[:", pos) && pattern.length() > pos + 2 ? posixClass() : namedClass();
            if (named != null) {
                set.addAll(named);
                continue;
            }
            int from = pos;
            int low = classChar(start);
            int high = low;
            if (pos + 1 < pattern.length() && pattern.charAt(pos) == '-' && pattern.charAt(pos + 1) != ']') {
                pos++;
                high = classChar(start);
                if (high < low) {
                    throw error("invalid character class range", pattern.substring(from, pos));
                }
            }
            if (fold) {
                foldsOldCyrillic |= low <= OLD_CYRILLIC_LAST && high >= OLD_CYRILLIC;
                set.addFolded(low, high);
            } else {
                set.add(low, high);
            }
        }
        pos++;
        CharRanges all = set.build();
        pushSet(negated ? all.negated() : all);
    }

    private void pushSet(CharRanges set) {
        if (set.rangeCount() == 1 && set.first(0) == set.last(0)) {
            boolean outer = fold;
            fold = false;
            literal(set.first(0));
            fold = outer;
        } else {
            push(new RegexNode.Chars(set));
        }
    }

    /** {@code [:name:]}, null where the bracket is an ordinary character. */
    private @Nullable CharRanges posixClass() {
        int end = pattern.indexOf(":]", pos + 2);
        if (end < 0) {
            return null;
        }
        String name = pattern.substring(pos + 2, end);
        boolean negated = name.startsWith("^");
        CharRanges set = UnicodeClasses.posix(negated ? name.substring(1) : name);
        if (set == null) {
            throw error("invalid character class range", pattern.substring(pos, end + 2));
        }
        pos = end + 2;
        return signed(set, negated);
    }

    private int classChar(int start) {
        if (pos >= pattern.length()) {
            throw error("missing closing ]", pattern.substring(start));
        }
        return pattern.charAt(pos) == '\\' ? escape() : next();
    }
}
