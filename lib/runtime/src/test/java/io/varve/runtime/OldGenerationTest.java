package io.varve.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class OldGenerationTest {
    private static final long MIB = 1 << 20;

    @Test
    void whatGrewIsLookedAtOnce() {
        assertThat(OldGeneration.worthALook(60 * MIB, 0)).as("little").isFalse();
        assertThat(OldGeneration.worthALook(900 * MIB, 0)).as("after a collection that was needed").isTrue();
        assertThat(OldGeneration.worthALook(900 * MIB, 700 * MIB)).as("what is alive stays").isFalse();
        assertThat(OldGeneration.worthALook(1100 * MIB, 700 * MIB)).as("grown again").isTrue();
    }
}
