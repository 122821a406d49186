package io.varve.model;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** The named sets of code points in regular expressions: {@code \d}, {@code [:alpha:]}, {@code \p{Greek}}. */
final class UnicodeClasses {
    static final CharRanges DIGIT = CharRanges.of('0', '9');
    static final CharRanges SPACE = CharRanges.of('\t', '\n', '\f', '\r', ' ', ' ');
    static final CharRanges WORD = CharRanges.of('0', '9', 'A', 'Z', '_', '_', 'a', 'z');

    /**
     * What Unicode 15.1 and 16 added: Java's tables have it, Go's (15.0) not. To both sides of a mixed system the same expression
     * has to mean the same, so these are unassigned here too.
     */
    private static final int[] TOO_NEW = {0x897, 0x897, 0x1B4E, 0x1B4F, 0x1B7F, 0x1B7F, 0x1C89, 0x1C8A, 0x2427, 0x2429, 0x2FFC, 0x2FFF,
            0x31E4, 0x31E5,
            0x31EF, 0x31EF, 0xA7CB, 0xA7CD, 0xA7DA, 0xA7DC, 0x105C0, 0x105F3, 0x10D40, 0x10D65, 0x10D69, 0x10D85, 0x10D8E, 0x10D8F,
            0x10EC2, 0x10EC4, 0x10EFC, 0x10EFC, 0x11380, 0x11389, 0x1138B, 0x1138B, 0x1138E, 0x1138E, 0x11390, 0x113B5, 0x113B7, 0x113C0,
            0x113C2, 0x113C2, 0x113C5, 0x113C5, 0x113C7, 0x113CA, 0x113CC, 0x113D5, 0x113D7, 0x113D8, 0x113E1, 0x113E2, 0x116D0, 0x116E3,
            0x11BC0, 0x11BE1, 0x11BF0, 0x11BF9, 0x11F5A, 0x11F5A, 0x13460, 0x143FA, 0x16100, 0x16139, 0x16D40, 0x16D79, 0x18CFF, 0x18CFF,
            0x1CC00, 0x1CCF9, 0x1CD00, 0x1CEB3, 0x1E5D0, 0x1E5FA, 0x1E5FF, 0x1E5FF, 0x1F8B2, 0x1F8BB, 0x1F8C0, 0x1F8C1, 0x1FA89, 0x1FA89,
            0x1FA8F, 0x1FA8F, 0x1FABE, 0x1FABE, 0x1FAC6, 0x1FAC6, 0x1FADC, 0x1FADC, 0x1FADF, 0x1FADF, 0x1FAE9, 0x1FAE9, 0x1FBCB, 0x1FBEF,
            0x2EBF0, 0x2EE5D};

    private static final Map<String, CharRanges> POSIX = Map.ofEntries(
            Map.entry("alnum", CharRanges.of('0', '9', 'A', 'Z', 'a', 'z')),
            Map.entry("alpha", CharRanges.of('A', 'Z', 'a', 'z')),
            Map.entry("ascii", CharRanges.of(0, 0x7F)),
            Map.entry("blank", CharRanges.of('\t', '\t', ' ', ' ')),
            Map.entry("cntrl", CharRanges.of(0, 0x1F, 0x7F, 0x7F)),
            Map.entry("digit", DIGIT),
            Map.entry("graph", CharRanges.of('!', '~')),
            Map.entry("lower", CharRanges.of('a', 'z')),
            Map.entry("print", CharRanges.of(' ', '~')),
            Map.entry("punct", CharRanges.of('!', '/', ':', '@', '[', '`', '{', '~')),
            Map.entry("space", CharRanges.of('\t', '\r', ' ', ' ')),
            Map.entry("upper", CharRanges.of('A', 'Z')),
            Map.entry("word", WORD),
            Map.entry("xdigit", CharRanges.of('0', '9', 'A', 'F', 'a', 'f')));

    /** General categories: name, the numbers of {@link Character#getType(int)}. */
    private static final Object[][] CATEGORIES = {
            {"Lu", new int[]{Character.UPPERCASE_LETTER}},
            {"Ll", new int[]{Character.LOWERCASE_LETTER}},
            {"Lt", new int[]{Character.TITLECASE_LETTER}},
            {"LC", new int[]{Character.UPPERCASE_LETTER, Character.LOWERCASE_LETTER, Character.TITLECASE_LETTER}},
            {"Lm", new int[]{Character.MODIFIER_LETTER}},
            {"Lo", new int[]{Character.OTHER_LETTER}},
            {"L", new int[]{Character.UPPERCASE_LETTER, Character.LOWERCASE_LETTER, Character.TITLECASE_LETTER, Character.MODIFIER_LETTER,
                    Character.OTHER_LETTER}},
            {"Mn", new int[]{Character.NON_SPACING_MARK}},
            {"Mc", new int[]{Character.COMBINING_SPACING_MARK}},
            {"Me", new int[]{Character.ENCLOSING_MARK}},
            {"M", new int[]{Character.NON_SPACING_MARK, Character.COMBINING_SPACING_MARK, Character.ENCLOSING_MARK}},
            {"Nd", new int[]{Character.DECIMAL_DIGIT_NUMBER}},
            {"Nl", new int[]{Character.LETTER_NUMBER}},
            {"No", new int[]{Character.OTHER_NUMBER}},
            {"N", new int[]{Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER}},
            {"Pc", new int[]{Character.CONNECTOR_PUNCTUATION}},
            {"Pd", new int[]{Character.DASH_PUNCTUATION}},
            {"Ps", new int[]{Character.START_PUNCTUATION}},
            {"Pe", new int[]{Character.END_PUNCTUATION}},
            {"Pi", new int[]{Character.INITIAL_QUOTE_PUNCTUATION}},
            {"Pf", new int[]{Character.FINAL_QUOTE_PUNCTUATION}},
            {"Po", new int[]{Character.OTHER_PUNCTUATION}},
            {"P", new int[]{Character.CONNECTOR_PUNCTUATION, Character.DASH_PUNCTUATION, Character.START_PUNCTUATION,
                    Character.END_PUNCTUATION, Character.INITIAL_QUOTE_PUNCTUATION, Character.FINAL_QUOTE_PUNCTUATION,
                    Character.OTHER_PUNCTUATION}},
            {"Sm", new int[]{Character.MATH_SYMBOL}},
            {"Sc", new int[]{Character.CURRENCY_SYMBOL}},
            {"Sk", new int[]{Character.MODIFIER_SYMBOL}},
            {"So", new int[]{Character.OTHER_SYMBOL}},
            {"S", new int[]{Character.MATH_SYMBOL, Character.CURRENCY_SYMBOL, Character.MODIFIER_SYMBOL, Character.OTHER_SYMBOL}},
            {"Zs", new int[]{Character.SPACE_SEPARATOR}},
            {"Zl", new int[]{Character.LINE_SEPARATOR}},
            {"Zp", new int[]{Character.PARAGRAPH_SEPARATOR}},
            {"Z", new int[]{Character.SPACE_SEPARATOR, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR}},
            {"Cc", new int[]{Character.CONTROL}},
            {"Cf", new int[]{Character.FORMAT}},
            {"Cs", new int[]{Character.SURROGATE}},
            {"Co", new int[]{Character.PRIVATE_USE}},
            {"Cn", new int[]{Character.UNASSIGNED}},
            {"C", new int[]{Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE, Character.UNASSIGNED}},
    };

    /** By name: how to find the set, and the set once somebody asked. */
    private static final Map<String, Named> NAMED = named();

    private UnicodeClasses() {
    }

    /** Whether Unicode 15.0 did not have the code point yet, and a later one has. */
    static boolean tooNew(int c) {
        if (c < TOO_NEW[0]) {
            return false;
        }
        int i = Arrays.binarySearch(TOO_NEW, c);
        // Between two bounds, the first of which begins a range.
        return i >= 0 || (-i - 1 & 1) == 1;
    }

    private static int category(int c) {
        return tooNew(c) ? Character.UNASSIGNED : Character.getType(c);
    }

    /** {@code [:name:]}, null where there is no such class. */
    static @Nullable CharRanges posix(String name) {
        return POSIX.get(name);
    }

    /**
     * {@code \p{name}}: a category ({@code Lu}), a script ({@code Old_Italic}) or {@code Any}, written so. Null where there is none, and
     * for scripts that are too new, as in the library that Prometheus and Thanos match with.
     */
    static @Nullable CharRanges unicode(String name) {
        Named named = NAMED.get(name);
        CharRanges set = named == null ? null : named.set();
        return set == null || set.rangeCount() == 0 ? null : set;
    }

    /** A set that is worked out when somebody asks for it, once or, in a race, a few times with the same result. */
    private static final class Named {
        private final IntPredicate test;
        private volatile @Nullable CharRanges set;

        Named(IntPredicate test) {
            this.test = test;
        }

        CharRanges set() {
            CharRanges s = set;
            if (s == null) {
                CharRanges.Builder b = new CharRanges.Builder();
                for (int c = 0; c <= CharRanges.MAX; c++) {
                    if (test.test(c)) {
                        b.add(c, c);
                    }
                }
                s = b.build();
                set = s;
            }
            return s;
        }
    }

    private static Map<String, Named> named() {
        Map<String, Named> out = new HashMap<>();
        for (Character.UnicodeScript script : Character.UnicodeScript.values()) {
            if (script != Character.UnicodeScript.UNKNOWN) {
                out.put(scriptName(script),
                        new Named(c -> Character.UnicodeScript.of(c) == script && !tooNew(c)));
            }
        }
        for (Object[] category : CATEGORIES) {
            int mask = 0;
            for (int type : (int[]) category[1]) {
                mask |= 1 << type;
            }
            int types = mask;
            out.put((String) category[0], new Named(c -> (types >>> category(c) & 1) != 0));
        }
        out.put("Any", new Named(c -> true));
        return Map.copyOf(out);
    }

    /** {@code OLD_ITALIC} is {@code Old_Italic}. */
    private static String scriptName(Character.UnicodeScript script) {
        if (script == Character.UnicodeScript.SIGNWRITING) {
            return "SignWriting";
        }
        StringBuilder sb = new StringBuilder();
        for (String part : script.name().split("_", -1)) {
            sb.append(sb.isEmpty() ? "" : "_").append(part.charAt(0)).append(part.substring(1).toLowerCase(Locale.ROOT));
        }
        return sb.toString();
    }
}
