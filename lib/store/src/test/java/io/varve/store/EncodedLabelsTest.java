package io.varve.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.Labels;
import io.varve.testkit.Seeds;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Labels as bytes against the same as texts. */
class EncodedLabelsTest {
    private static final String[] TEXTS = {"", "a", "ab", "abc", "b", "ü", "\uE000", "\uFFFD", "\uD83D\uDE00", "x".repeat(127),
            "x".repeat(128),
            "x".repeat(129), "y".repeat(20_000), "z".repeat(16_383)};

    private static Labels random(RandomGenerator random) {
        Labels.Builder b = new Labels.Builder();
        for (int i = random.nextInt(5); i > 0; i--) {
            b.set(TEXTS[random.nextInt(TEXTS.length)], TEXTS[random.nextInt(TEXTS.length)]);
        }
        return b.build();
    }

    @Test
    void bytesAreThoseThatAFrameHasOfTheTexts() {
        Seeds.forEach(300, random -> {
            Labels labels = random(random);
            EncodedLabels encoded = EncodedLabels.of(labels);
            ProtoWriter texts = new ProtoWriter(0);
            SeriesFrames.writeSeries(texts, new StoreSeries(labels, List.of()), true);
            ProtoWriter bytes = new ProtoWriter(0);
            StoreSeries series = new StoreSeries(encoded, List.of());
            SeriesFrames.writeSeries(bytes, series, true);
            assertThat(bytes.toByteArray()).isEqualTo(texts.toByteArray());
            assertThat(series.labels()).isEqualTo(labels);
            assertThat(series).isEqualTo(new StoreSeries(labels, List.of())).hasSameHashCodeAs(new StoreSeries(labels, List.of()));
            assertThat(encoded).hasToString(labels.toString());
        });
    }

    @Test
    void theOrderIsThatOfTheTexts() {
        Seeds.forEach(3000, random -> {
            Labels a = random(random);
            Labels b = random.nextInt(3) == 0 ? random(random) : a.overriddenBy(random(random));
            EncodedLabels x = EncodedLabels.of(a);
            EncodedLabels y = EncodedLabels.of(b);
            assertThat(Integer.signum(x.compareTo(y))).as("%s %s", a, b).isEqualTo(Integer.signum(a.compareTo(b)));
            assertThat(Integer.signum(y.compareTo(x))).isEqualTo(Integer.signum(b.compareTo(a)));
            assertThat(x.equals(y)).isEqualTo(a.equals(b));
            assertThat(x.compareTo(x)).isZero();
        });
    }

    @Test
    void aBuilderComesBackToWhereItWas() {
        EncodedLabels.Builder b = new EncodedLabels.Builder();
        b.add("a".getBytes(), "1".getBytes());
        int one = b.size();
        b.add("b".getBytes(), "x".repeat(5000).getBytes());
        assertThat(b.build().labels()).isEqualTo(Labels.of("a", "1", "b", "x".repeat(5000)));
        b.truncate(one);
        EncodedLabels first = b.build();
        assertThat(first).isEqualTo(EncodedLabels.of(Labels.of("a", "1")));
        assertThat(b.isSame(first)).isTrue();
        b.add("c".getBytes(), "2".getBytes());
        assertThat(b.isSame(first)).isFalse();
        assertThat(b.build()).isEqualTo(EncodedLabels.of(Labels.of("a", "1", "c", "2")));
    }
}
