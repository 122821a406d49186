package io.varve.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.BindException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class ListeningTest {
    @Test
    void anAddressThatIsTakenForAMomentIsWaitedFor() throws IOException {
        AtomicInteger tries = new AtomicInteger();
        assertThat(Listening.open("here", () -> {
            if (tries.incrementAndGet() == 1) {
                throw new BindException("Address already in use");
            } else if (tries.get() == 2) {
                throw new IOException("Failed to bind", new BindException("Address already in use"));
            }
            return "open";
        })).isEqualTo("open");
        assertThat(tries).hasValue(3);
    }

    @Test
    void otherErrorsEndIt() {
        AtomicInteger tries = new AtomicInteger();
        assertThatThrownBy(() -> Listening.open("here", () -> {
            tries.incrementAndGet();
            throw new IOException("no");
        })).hasMessage("no");
        assertThat(tries).hasValue(1);
    }
}
