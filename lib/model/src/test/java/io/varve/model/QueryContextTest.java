package io.varve.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class QueryContextTest {
    @Test
    void anActionRunsOnceWhoeverEndsTheQuery() {
        AtomicInteger ran = new AtomicInteger();
        QueryContext c = QueryContext.unlimited();
        c.onCancel(ran::incrementAndGet);
        c.close();
        c.cancel(new CancelledException(CancelledException.Reason.CANCELED, "again"));
        assertThat(ran).hasValue(1);
        c.onCancel(ran::incrementAndGet);
        assertThat(ran).hasValue(2);
        assertThat(c.waitingForTheEnd()).isZero();
    }

    @Test
    void whatIsRemovedIsForgotten() {
        AtomicInteger ran = new AtomicInteger();
        QueryContext c = QueryContext.unlimited();
        QueryContext.Registration gone = c.onCancel(ran::incrementAndGet);
        c.onCancel(ran::incrementAndGet);
        gone.remove();
        gone.remove();
        assertThat(c.waitingForTheEnd()).isEqualTo(1);
        c.close();
        gone.remove();
        assertThat(ran).hasValue(1);
    }
}
