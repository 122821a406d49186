package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class RangesTest {
    private static Ranges of(long... bounds) {
        Ranges r = new Ranges();
        for (int i = 0; i < bounds.length; i += 2) {
            r.add(bounds[i], bounds[i + 1]);
        }
        return r;
    }

    private static List<String> texts(List<Ranges> objects) {
        return objects.stream().map(r -> {
            StringBuilder sb = new StringBuilder();
            for (int i = 0; i < r.size(); i++) {
                sb.append(r.start(i)).append('-').append(r.end(i)).append(' ');
            }
            return sb.toString().trim();
        }).toList();
    }

    @Test
    void joinsTheClosestOfAllObjectsUntilThereAreAsManyAsWanted() {
        List<Ranges> two = List.of(of(0, 10, 15, 20, 60, 70, 100, 110), of(0, 5, 25, 30, 1000, 1001));
        assertThat(texts(Ranges.planned(two, 5, 500, 9))).containsExactly("0-20 60-70 100-110", "0-5 25-30 1000-1001");
        assertThat(texts(Ranges.planned(two, 5, 500, 5))).containsExactly("0-20 60-70 100-110", "0-30 1000-1001");
        assertThat(texts(Ranges.planned(two, 5, 500, 4))).containsExactly("0-20 60-110", "0-30 1000-1001");
        assertThat(texts(Ranges.planned(two, 5, 500, 1))).as("none over more than 500").containsExactly("0-110", "0-30 1000-1001");
        assertThat(texts(Ranges.planned(List.of(of(), of(3, 4)), 5, 500, 1))).containsExactly("", "3-4");
    }

    @Test
    void cutsAndFinds() {
        Ranges r = of(20, 45, 0, 5).joined(0);
        assertThat(texts(List.of(r.cut(10)))).containsExactly("0-5 20-30 30-40 40-45");
        assertThat(texts(List.of(r.cutEvenly(10)))).as("in equal parts").containsExactly("0-5 20-29 29-38 38-45");
        assertThat(texts(List.of(r.cutEvenly(25)))).containsExactly("0-5 20-45");
        assertThat(r.find(4)).isZero();
        assertThat(r.find(5)).isEqualTo(-1);
        assertThat(r.find(44)).isEqualTo(1);
        assertThat(r.bytes()).isEqualTo(30);
    }
}
