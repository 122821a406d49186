package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WarmUpTest {
    @Test
    void madeUpSeriesAreServedAndNothingIsLeftOfThem(@TempDir Path data) throws Exception {
        Path directory = data.resolve("warm-up");
        // What a killed process left.
        Files.createDirectories(directory.resolve("bucket/01ARZ3NDEKTSV4RRFFQ69G5FAV"));
        assertThat(WarmUp.run(directory, Duration.ofMillis(1), () -> false, () -> true)).isPositive();
        assertThat(directory).doesNotExist();
    }

    @Test
    void aStoppingProcessDoesNotWarmUp(@TempDir Path data) {
        assertThat(WarmUp.run(data.resolve("warm-up"), Duration.ofMinutes(1), () -> true, () -> false)).isZero();
    }
}
