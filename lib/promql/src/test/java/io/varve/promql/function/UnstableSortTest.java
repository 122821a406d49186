package io.varve.promql.function;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class UnstableSortTest {
    @Test
    void whateverTheInputLooksLikeItEndsUpSorted() {
        for (int seed = 0; seed < 300; seed++) {
            Random r = new Random(seed);
            int n = r.nextInt(seed % 10 == 0 ? 5000 : 200);
            Integer[] data = new Integer[n];
            int shape = seed % 6;
            for (int i = 0; i < n; i++) {
                data[i] = switch (shape) {
                    case 0 -> r.nextInt();
                    case 1 -> r.nextInt(5);
                    case 2 -> i;
                    case 3 -> -i;
                    case 4 -> i % 17;
                    default -> i < n / 2 ? i : n - i;
                };
            }
            Integer[] expected = data.clone();
            Arrays.sort(expected);
            UnstableSort.sort(data, (a, b) -> a < b);
            assertThat(data).as("seed " + seed).isEqualTo(expected);
        }
    }

    @Test
    void aFewThatAreEqualKeepTheirOrder() {
        String[] data = {"b1", "a1", "b2", "a2", "a3"};
        UnstableSort.sort(data, (x, y) -> x.charAt(0) < y.charAt(0));
        assertThat(data).containsExactly("a1", "a2", "a3", "b1", "b2");
    }

    @Test
    void manyThatAreEqualAreMovedAsGoMovesThem() {
        // Ties among 14: what lies in the middle is the pivot and goes first.
        String[] data = {"b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8", "b9", "ba", "bb", "bc", "a0"};
        UnstableSort.sort(data, (x, y) -> x.charAt(0) < y.charAt(0));
        assertThat(data[0]).isEqualTo("a0");
        assertThat(data).doesNotHaveDuplicates();
    }

    @Test
    void aPredicateThatIsNoOrderDoesNotLeadAstray() {
        for (int seed = 0; seed < 100; seed++) {
            Random r = new Random(seed);
            Double[] data = new Double[r.nextInt(300)];
            for (int i = 0; i < data.length; i++) {
                data[i] = r.nextInt(3) == 0 ? Double.NaN : r.nextInt(20);
            }
            Double[] before = data.clone();
            UnstableSort.sort(data, (a, b) -> Double.isNaN(b) || b < a);
            assertThat(data).containsExactlyInAnyOrder(before);
        }
    }
}
