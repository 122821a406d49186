package io.varve.promql.function;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class QuantilesTest {
    @Test
    void selectingComesToTheSameAsSorting() {
        for (int seed = 0; seed < 500; seed++) {
            Random r = new Random(seed);
            int n = 1 + r.nextInt(seed % 7 == 0 ? 3000 : 60);
            int from = r.nextInt(5);
            double[] v = new double[from + n + 3];
            for (int i = 0; i < v.length; i++) {
                v[i] = switch (seed % 5) {
                    case 0 -> r.nextGaussian();
                    case 1 -> r.nextInt(4);
                    case 2 -> i;
                    case 3 -> r.nextInt(6) == 0 ? Double.NaN : r.nextInt(50);
                    default -> r.nextInt(8) == 0 ? Double.POSITIVE_INFINITY : -i;
                };
            }
            double[] sorted = new double[n];
            System.arraycopy(v, from, sorted, 0, n);
            Quantiles.sort(sorted, n);
            double q = r.nextInt(4) == 0 ? r.nextInt(3) - 0.5 : r.nextInt(5) == 0 ? r.nextInt(2) : r.nextDouble();
            assertThat((Double) Quantiles.select(q, v, from, n)).as("seed " + seed).isEqualTo((Double) Quantiles.sorted(q, sorted, n));
        }
    }
}
