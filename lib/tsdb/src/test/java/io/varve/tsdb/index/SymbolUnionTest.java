package io.varve.tsdb.index;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.Utf8Order;
import io.varve.testkit.Seeds;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** United symbol tables against a set of their texts. */
class SymbolUnionTest {
    private static Symbols table(List<String> texts) {
        return SymbolsTest.Table.of(texts, 2).symbols();
    }

    private static List<String> texts(RandomGenerator random, int most) {
        TreeSet<String> out = new TreeSet<>(Utf8Order::compare);
        String[] letters = {"a", "b", "ü", "\uFFFD", "\uD83D\uDE00", "x".repeat(200)};
        for (int i = random.nextInt(most); i > 0; i--) {
            StringBuilder text = new StringBuilder();
            for (int n = random.nextInt(5); n > 0; n--) {
                text.append(letters[random.nextInt(letters.length)]);
            }
            out.add(text.toString());
        }
        return List.copyOf(out);
    }

    @Test
    void allSymbolsAreThereOnceAndInOrder() {
        Seeds.forEach(200, random -> {
            List<List<String>> tables = new ArrayList<>();
            TreeSet<String> all = new TreeSet<>(Utf8Order::compare);
            for (int t = random.nextInt(6); t >= 0; t--) {
                tables.add(!tables.isEmpty() && random.nextInt(3) == 0
                        ? tables.get(random.nextInt(tables.size()))
                        : texts(random, random.nextBoolean() ? 5 : 100));
                all.addAll(tables.getLast());
            }
            List<String> want = List.copyOf(all);
            SymbolUnion union = SymbolUnion.of(tables.stream().map(SymbolUnionTest::table).toList());
            assertThat(union).isNotNull();
            assertThat(union.size()).isEqualTo(want.size());
            for (int i = 0; i < want.size(); i++) {
                assertThat(union.text(i)).isEqualTo(want.get(i));
                byte[] utf8 = new byte[union.length(i) + 2];
                union.copy(i, utf8, 1);
                assertThat(new String(utf8, 1, utf8.length - 2, StandardCharsets.UTF_8)).isEqualTo(want.get(i));
            }
            for (int t = 0; t < tables.size(); t++) {
                int[] numbers = union.numbers(t);
                assertThat(numbers).hasSize(tables.get(t).size());
                for (int i = 0; i < numbers.length; i++) {
                    assertThat(want.get(numbers[i])).isEqualTo(tables.get(t).get(i));
                }
            }
            assertThat(union.heapBytes()).isBetween(0L, 100_000L);
        });
    }

    @Test
    void tablesThatAreEqualShareTheirNumbers() {
        SymbolUnion union = SymbolUnion.of(List.of(table(List.of("a", "b")), table(List.of("b", "c")), table(List.of("a", "b"))));
        assertThat(union).isNotNull();
        assertThat(union.numbers(2)).isSameAs(union.numbers(0)).containsExactly(0, 1);
        assertThat(union.numbers(1)).containsExactly(1, 2);
    }

    @Test
    void tablesOutOfOrderAreNotUnited() {
        for (List<String> bad : List.of(List.of("b", "a"), List.of("a", "a"), List.of("a", "c", "b"), List.of("a", ""))) {
            assertThat(SymbolUnion.of(List.of(table(bad)))).isNull();
            assertThat(SymbolUnion.of(List.of(table(List.of("a", "b", "c", "d")), table(bad)))).isNull();
            assertThat(SymbolUnion.of(List.of(table(bad), table(List.of("aa", "d"))))).isNull();
        }
        assertThat(SymbolUnion.of(List.of(SymbolsTest.Table.of(List.of("a", "b"), 1).symbols()))).isNull();
        SymbolUnion none = SymbolUnion.of(List.of(table(List.of())));
        assertThat(none).isNotNull();
        assertThat(none.size()).isZero();
    }
}
