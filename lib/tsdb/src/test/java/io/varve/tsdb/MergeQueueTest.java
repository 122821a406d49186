package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class MergeQueueTest {
    /** All sets as a merge takes them, a row for each head: the sets that have it, in the order taken. */
    private static List<List<Integer>> merge(int[]... sets) {
        int[] at = new int[sets.length];
        MergeQueue queue = new MergeQueue(sets.length, (a, b) -> Integer.compare(sets[a][at[a]], sets[b][at[b]]));
        for (int i = 0; i < sets.length; i++) {
            if (sets[i].length > 0) {
                queue.add(i);
            }
        }
        List<List<Integer>> rows = new ArrayList<>();
        for (int n = queue.take(); n > 0; n = queue.take()) {
            List<Integer> row = new ArrayList<>();
            for (int i = 0; i < n; i++) {
                row.add(queue.set(i));
            }
            rows.add(row);
            for (int set : row) {
                if (++at[set] < sets[set].length) {
                    queue.add(set);
                }
            }
        }
        return rows;
    }

    @Test
    void setsThatHaveTheSameComeInTheirOrder() {
        assertThat(merge(new int[]{1, 2, 3}, new int[]{1, 2, 3})).containsExactly(List.of(0, 1), List.of(0, 1), List.of(0, 1));
    }

    /** As compactions of Thanos 0.42.4 do it: penalty merges of two replicas were equal to theirs in this order only. */
    @Test
    void aSetThatHadOneOfItsOwnComesLastFromThenOn() {
        assertThat(merge(new int[]{1, 2, 3, 5}, new int[]{2, 3, 4, 5})).containsExactly(List.of(0), List.of(1, 0), List.of(1, 0),
                List.of(1),
                List.of(0, 1));
    }

    @Test
    void eachTakesAllThatHaveTheLeast() {
        Seeds.forEach(200, random -> {
            int[][] sets = new int[1 + random.nextInt(7)][];
            TreeMap<Integer, TreeSet<Integer>> want = new TreeMap<>();
            for (int s = 0; s < sets.length; s++) {
                sets[s] = random.ints(random.nextInt(30), 0, 40).sorted().distinct().toArray();
                for (int x : sets[s]) {
                    want.computeIfAbsent(x, k -> new TreeSet<>()).add(s);
                }
            }
            List<List<Integer>> got = merge(sets);
            assertThat(got.stream().map(TreeSet::new).toList()).as(Arrays.deepToString(sets)).isEqualTo(List.copyOf(want.values()));
        });
    }
}
