package io.varve.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class LabelProjectionTest {
    private static final Labels SERIES = Labels.of("__name__", "m", "__type__", "gauge", "a", "1", "b", "2", "c", "3");

    private static LabelProjection only(String... names) {
        return new LabelProjection(true, List.of(names));
    }

    private static LabelProjection without(String... names) {
        return new LabelProjection(false, List.of(names));
    }

    @Test
    void keepsWhatIsLookedAtAndWhatASeriesIs() {
        assertThat(only("b", "nothing").of(SERIES)).isEqualTo(Labels.of("__name__", "m", "__type__", "gauge", "b", "2"));
        assertThat(only().of(SERIES)).isEqualTo(Labels.of("__name__", "m", "__type__", "gauge"));
        assertThat(without("a", "__name__").of(SERIES)).isEqualTo(Labels.of("__name__", "m", "__type__", "gauge", "b", "2", "c", "3"));
        assertThat(LabelProjection.ALL.of(SERIES)).isSameAs(SERIES);
    }

    @Test
    void takesOneMoreLabel() {
        assertThat(only("a").with("b")).isEqualTo(only("a", "b"));
        assertThat(only("a").with("a")).isEqualTo(only("a"));
        assertThat(without("a", "b").with("a")).isEqualTo(without("b"));
        assertThat(without("a").with("b")).isEqualTo(without("a"));
        assertThat(without("a").with("a").isAll()).isTrue();
        assertThat(only().isAll()).isFalse();
    }
}
