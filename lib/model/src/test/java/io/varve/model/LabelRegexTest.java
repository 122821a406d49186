package io.varve.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import io.varve.testkit.Seeds;
import io.varve.testkit.Shared;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LabelRegexTest {
    @Test
    void patternsMatchAsInPrometheus() {
        Path file = Shared.golden("regex.jsonl.gz").orElse(null);
        assumeTrue(file != null);
        List<String> wrong = new ArrayList<>();
        int n = 0;
        try (Stream<JsonNode> lines = Shared.jsonLines(file)) {
            for (JsonNode line : (Iterable<JsonNode>) lines::iterator) {
                n++;
                String pattern = Shared.text(line.get("pattern"));
                if (!line.get("valid").booleanValue()) {
                    try {
                        LabelRegex.compile(pattern);
                        wrong.add(pattern + ": accepted");
                    } catch (InvalidRequestException e) {
                        if (!e.getMessage().equals(line.get("error").textValue())) {
                            wrong.add(pattern + ": " + e.getMessage() + " instead of " + line.get("error").textValue());
                        }
                    }
                    continue;
                }
                LabelRegex re;
                try {
                    re = LabelRegex.compile(pattern);
                } catch (InvalidRequestException e) {
                    wrong.add(pattern + ": " + e.getMessage());
                    continue;
                }
                String match = line.get("match").textValue();
                for (int i = 0; i < match.length(); i++) {
                    String value = Shared.text(line.get("values").get(i));
                    if (re.matches(value) != (match.charAt(i) == '1')) {
                        wrong.add(pattern + " on " + GoQuote.quote(value) + ": " + re.matches(value));
                    }
                    if (re.matches(value)) {
                        checkFacts(re, value);
                    }
                }
                if (line.get("set_matches").size() > 0) {
                    List<String> set = new ArrayList<>(new HashSet<>(texts(line.get("set_matches"))));
                    set.sort(Utf8Order::compare);
                    if (!re.setMatches().equals(set)) {
                        wrong.add(pattern + ": set " + re.setMatches() + " instead of " + set);
                    }
                }
                if (!re.prefix().startsWith(Shared.text(line.get("prefix")))) {
                    wrong.add(pattern + ": prefix " + re.prefix() + " knows less than " + line.get("prefix"));
                }
            }
        }
        assertThat(n).isPositive();
        assertThat(wrong).isEmpty();
    }

    private static List<String> texts(JsonNode list) {
        List<String> out = new ArrayList<>();
        list.forEach(t -> out.add(Shared.text(t)));
        return out;
    }

    private static void checkFacts(LabelRegex re, String value) {
        assertThat(value).as("prefix of " + re.pattern()).startsWith(re.prefix());
        if (!re.setMatches().isEmpty()) {
            assertThat(re.setMatches()).as(re.pattern()).contains(value);
        }
        assertThat(re.matchesEverythingButEmpty() && value.isEmpty()).isFalse();
    }

    private static final String[] ATOMS = {"a", "b", "ab", "foo", "bar", ".", ".*", ".+", "[ab]", "[^a]", "[a-c]", "\\d", "\\w", "\\W",
            "\\s", "é", "😀",
            "k", "(?i:k)", "(?i:foo)", "(?-s:.)", "\\n", "^", "$", "\\b", "\\B", "(?m:^)", "(?m:$)", "-", "1", "\\.", "[[:alpha:]]",
            "\\pL", "[^\\n]", "(?i:é)", "\\x{1F600}", "\\A", "\\z", "(?s:.)", "(?i:[a-k])", "_"};
    private static final String[] LETTERS = {"a", "b", "c", "foo", "bar", "k", "K", "\u212A", "F", "o", "é", "É", "😀", "\n", "-", "1", "_",
            ".", " ", "x"};

    private static String pattern(RandomGenerator random, int depth) {
        int n = 1 + random.nextInt(4);
        StringBuilder sb = new StringBuilder();
        for (int i = 0; i < n; i++) {
            String part = depth > 0 && random.nextInt(3) == 0
                    ? (random.nextBoolean() ? "(" : "(?:") + pattern(random, depth - 1) + ")"
                    : ATOMS[random.nextInt(ATOMS.length)];
            sb.append(part);
            switch (random.nextInt(12)) {
                case 0 -> sb.append('*');
                case 1 -> sb.append('+');
                case 2 -> sb.append('?');
                case 3 -> sb.append("{").append(random.nextInt(3)).append(",").append(2 + random.nextInt(2)).append("}");
                case 4 -> sb.append('|');
                default -> {
                    // As it is.
                }
            }
        }
        return sb.toString();
    }

    private static String value(RandomGenerator random) {
        StringBuilder sb = new StringBuilder();
        for (int i = random.nextInt(7); i > 0; i--) {
            sb.append(LETTERS[random.nextInt(LETTERS.length)]);
        }
        return sb.toString();
    }

    @Test
    void whatRe2jNeverEndsOnIsRefusedBeforeItSeesIt() {
        for (String pattern : List.of("(?i)\u1c80", "(?i:x[\u0400-\u2000])", "(?i)\\x{1C88}*", "(?i)[^\u1c85]")) {
            assertThatThrownBy(() -> LabelRegex.checkForRe2j(pattern)).as(pattern).isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("U+1C80");
        }
        for (String pattern : List.of("(?i)\u0432[^/]+\\pL\\W", "\u1c80", "(?i)x(?-i:\u1c80)", "(?i).*")) {
            LabelRegex.checkForRe2j(pattern);
            Pattern.compile(pattern);
        }
        assertThat(LabelRegex.compile("(?i)\u1c80").matches("\u0412")).isTrue();
    }

    @Test
    void textsAreMatchedAsTheyStand() {
        List<String> texts = List.of("a.b", "", "\\Q(x)|[y]{1}^$*+?", "é\n");
        LabelRegex re = LabelRegex.compile(LabelRegex.anyOf(texts));
        assertThat(texts).allMatch(re::matches);
        assertThat(Stream.of("axb", "x", "a.b|", "\\Q(x)")).noneMatch(re::matches);
        assertThat(texts.stream().skip(1)).allMatch(t -> LabelRegex.anyOf(List.of(t)).equals(Pattern.quote(t)));
    }

    @Test
    void repeatedPartsOfAnyLengthMatchWholeRepetitionsAlone() {
        for (int n = 1; n < 600; n++) {
            String part = "ab".repeat(n);
            RegexDfa dfa = new RegexDfa(RegexProgram.of(RegexParser.parse("(?:" + part + ")+c*")));
            assertThat(dfa.matches("")).as("%d", n).isFalse();
            assertThat(dfa.matches(part + part + "cc")).as("%d", n).isTrue();
            assertThat(dfa.matches(part + "a")).as("%d", n).isFalse();
        }
    }

    @Test
    void randomPatternsMatchAsTheyDoInRe2() {
        Seeds.forEach(6000, random -> {
            String pattern = pattern(random, 2);
            Pattern re2;
            try {
                re2 = Pattern.compile("\\A(?s:" + pattern + ")\\z");
            } catch (PatternSyntaxException e) {
                assertThatThrownBy(() -> LabelRegex.compile(pattern)).as(pattern).isInstanceOf(InvalidRequestException.class);
                return;
            }
            LabelRegex re = LabelRegex.compile(pattern);
            RegexDfa dfa = new RegexDfa(RegexProgram.of(RegexParser.parse(pattern)));
            for (int i = 0; i < 20; i++) {
                String value = value(random);
                boolean expected = re2.matcher(value).find();
                assertThat(re.matches(value)).as("%s on %s", pattern, GoQuote.quote(value)).isEqualTo(expected);
                assertThat(dfa.matches(value)).as("automaton of %s on %s", pattern, GoQuote.quote(value)).isEqualTo(expected);
                if (expected) {
                    checkFacts(re, value);
                }
            }
            for (String s : re.setMatches()) {
                assertThat(re2.matcher(s).find()).as("%s stands for %s", pattern, s).isTrue();
            }
        });
    }

    @Test
    void damagedPatternsAreRefusedWithAReasonOrCompile() {
        String alphabet = "ab(|)*+?{},0123[]^-$\\.:P<>ipxQE1";
        Seeds.forEach(20_000, random -> {
            StringBuilder sb = new StringBuilder();
            for (int i = 1 + random.nextInt(12); i > 0; i--) {
                sb.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            String pattern = sb.toString();
            boolean valid;
            try {
                LabelRegex.compile(pattern).matches("ab01");
                valid = true;
            } catch (InvalidRequestException e) {
                assertThat(e.getMessage()).startsWith("error parsing regexp: ");
                valid = false;
            }
            // re2j knows neither (?<name>) nor names of classes in any case, takes {? for a doubled repetition, and [[:] for a named class.
            if (!pattern.contains("(?<") && !pattern.contains("{") && !pattern.contains("\\p") && !pattern.contains("\\P")
                    && !pattern.contains("\\Q") && !pattern.contains("[:]")) {
                boolean expected;
                try {
                    Pattern.compile(pattern);
                    expected = true;
                } catch (PatternSyntaxException e) {
                    expected = false;
                }
                assertThat(valid).as(pattern).isEqualTo(expected);
            }
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"Any", "L", "Lu", "LC", "Cn", "Greek", "^Latin", "Old_Italic", "Nko", "Phags_Pa", "SignWriting", "Nag_Mundari",
            "Inherited", "Khitan_Small_Script"})
    void namedSetsAreKnownByTheirNames(String name) {
        assertThat(LabelRegex.compile("\\p{" + name + "}").matches("ab")).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"any", "ASCII", "Assigned", "Letter", "lu", "greek", "GREEK", "OldItalic", "Old Italic", "Signwriting", "N_Ko",
            "Garay", "Todhri", "Unknown", "Zzzz", ""})
    void namedSetsAreNotKnownByOthers(String name) {
        assertThatThrownBy(() -> LabelRegex.compile("\\p{" + name + "}")).isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("invalid character class range: `\\p{" + name + "}`");
    }

    @Test
    void caseIsFoldedAsUnicodeSays() {
        for (String twins : List.of("kK\u212A", "sS\u017F", "\u00DF\u1E9E", "\u03C9\u03A9\u2126", "\u00B5\u03BC\u039C",
                "\u03B8\u03D1\u0398\u03F4", "\u00E5\u00C5\u212B", "iI", "\u0130", "\u0131", "\u01C4\u01C5\u01C6", "\u03C3\u03C2\u03A3",
                "\uAB70\u13A0", "\u10D0\u1C90", "\u0345\u03B9\u0399\u1FBE", "1", "-")) {
            for (int i = 0; i < twins.length(); i++) {
                LabelRegex re = LabelRegex.compile("(?i)" + twins.charAt(i));
                LabelRegex set = LabelRegex.compile("(?i:[" + twins.charAt(i) + "\\n]+)");
                for (int k = 0; k < twins.length(); k++) {
                    assertThat(re.matches(twins.substring(k, k + 1))).as("%x %x", (int) twins.charAt(i), (int) twins.charAt(k)).isTrue();
                    assertThat(set.matches(twins.substring(k, k + 1))).isTrue();
                }
                assertThat(re.setMatches()).hasSize(twins.length());
            }
        }
        for (int c = 0; c < 0x1F000; c++) {
            for (int o : CaseFolding.orbit(c)) {
                assertThat(CaseFolding.orbit(o)).as("%x", c).contains(c).hasSizeGreaterThan(1);
                assertThat(Character.charCount(o)).as("%x", c).isEqualTo(Character.charCount(c));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "foo|bar", "foo.*", ".*foo", ".*foo.*", ".*foo.+bar", "(foo|bar).*", "(?i)foo", "(?i:foo).*",
            "(?i).*foo-bar.*",
            "node-(1|2|3)-.+", ".*", ".+", "^foo$", "(.*)", "foo|bar.*", "^(?:foo.*)$", "[a-c]x.*", "x?.*y"})
    void textIsComparedWhereThatIsEnough(String pattern) {
        assertThat(LabelRegex.compile(pattern).comparesText()).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"foo.*,foo", "foobar|foobaz,fooba", "(foo|food)s,foo", "\\bfoo,foo", "^foo[0-9]+,foo", "foo{2}x,foo", ".*,''", "(?i)foo,''",
            "foo?,fo"})
    void prefixesAreFound(String pattern, String prefix) {
        assertThat(LabelRegex.compile(pattern).prefix()).isEqualTo(prefix);
    }

    @Test
    void patternsThatMakeOthersSlowAreLinear() {
        String value = "a".repeat(5000);
        for (String pattern : List.of("(a*)*b", "(a|aa)+b", "(x+x+)+y", "(.*a){20}b", "(a?){500}a{500}", ".*a.{200}b",
                "((a{0,10}){0,10}){0,10}b",
                "(\\pL|\\d|\\w)*!", "([a-z]*[a-z]*)*!")) {
            long start = System.nanoTime();
            LabelRegex re = LabelRegex.compile(pattern);
            re.matches(value);
            assertThat((System.nanoTime() - start) / 1_000_000).as(pattern + " milliseconds").isLessThan(5000);
        }
    }

    @Test
    void statesAreForgottenNotKeptForEver() {
        // 2^18 states if all were kept.
        LabelRegex re = LabelRegex.compile("(.|x)*a(?:[ab]){17}c.*");
        Pattern re2 = Pattern.compile("\\A(?s:(.|x)*a(?:[ab]){17}c.*)\\z");
        Random random = new Random(7);
        for (int i = 0; i < 40; i++) {
            StringBuilder sb = new StringBuilder();
            for (int k = 0; k < 3000; k++) {
                sb.append(random.nextInt(400) == 0 ? 'c' : random.nextBoolean() ? 'a' : 'b');
            }
            String value = sb.toString();
            if (i < 3) {
                assertThat(re.matches(value)).isEqualTo(re2.matcher(value).find());
            } else {
                re.matches(value);
            }
        }
    }

    @Test
    void nestingIsLimitedNotTheStack() {
        assertThatThrownBy(() -> LabelRegex.compile("(".repeat(100_000) + "a" + ")".repeat(100_000)))
                .isInstanceOf(InvalidRequestException.class).hasMessageContaining("expression nests too deeply");
        assertThat(LabelRegex.compile("(?:".repeat(5000) + "a" + ")".repeat(5000)).matches("a")).isTrue();
        assertThatThrownBy(() -> LabelRegex.compile("(?:a{1000}b{1000}c{1000}d{1000})".repeat(1000)))
                .isInstanceOf(InvalidRequestException.class).hasMessageContaining("expression too large");
        LabelRegex.compile("(a|b".repeat(300) + ")".repeat(300)).matches("ab");
    }

    @Test
    void manyThreadsShareOnePattern() throws InterruptedException {
        LabelRegex re = LabelRegex.compile("(a|b)*[0-9]+(x|y)+.*[ab]{3}");
        Pattern re2 = Pattern.compile("\\A(?s:(a|b)*[0-9]+(x|y)+.*[ab]{3})\\z");
        List<Thread> threads = new ArrayList<>();
        List<Throwable> failures = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            int seed = t;
            threads.add(Thread.ofPlatform().start(() -> {
                Random random = new Random(seed);
                for (int i = 0; i < 2000; i++) {
                    StringBuilder sb = new StringBuilder();
                    for (int k = random.nextInt(12); k > 0; k--) {
                        sb.append("ab01xy".charAt(random.nextInt(6)));
                    }
                    String value = sb.toString();
                    if (re.matches(value) != re2.matcher(value).find()) {
                        synchronized (failures) {
                            failures.add(new AssertionError(value));
                        }
                    }
                }
            }));
        }
        for (Thread t : threads) {
            t.join();
        }
        assertThat(failures).isEmpty();
    }
}
