package io.varve.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Metadata;
import io.varve.model.Coverage;
import java.util.List;
import org.junit.jupiter.api.Test;

class CoverageTrailerTest {
    private static Metadata trailers(Coverage c) {
        Metadata m = new Metadata();
        CoverageTrailer.put(m, c);
        return m;
    }

    private static Coverage.Part part(String store, Coverage.Outcome outcome, String detail) {
        return new Coverage.Part(store, outcome, -5, Long.MAX_VALUE, 7, detail, List.of("a", "b"), List.of(0L, 300_000L));
    }

    @Test
    void aReportArrivesAsItWas() {
        Coverage leaf = new Coverage();
        leaf.block(new Coverage.Block("01A", 0));
        leaf.block(new Coverage.Block("01B", 3_600_000));
        Coverage c = new Coverage();
        c.add(part("one:1", Coverage.Outcome.ANSWERED, ""));
        c.add(part("two:2", Coverage.Outcome.MISSING, "never heard of ü"));
        c.below("one:1", leaf.report());
        assertThat(CoverageTrailer.read(trailers(c))).isEqualTo(c.report());
        assertThat(c.complete()).isFalse();
    }

    @Test
    void nothingToSayIsNothingSent() {
        assertThat(trailers(new Coverage()).keys()).isEmpty();
        assertThat(CoverageTrailer.read(new Metadata())).isNull();
    }

    @Test
    void whatIsTooLargeLosesBlocksFirstAndNeverAFault() {
        Coverage leaf = new Coverage();
        for (int i = 0; i < 5000; i++) {
            leaf.block(new Coverage.Block("01HZZZZZZZZZZZZZZZZZZZ" + i, 0));
        }
        Coverage c = new Coverage();
        c.add(part("one:1", Coverage.Outcome.ANSWERED, ""));
        c.below("one:1", leaf.report());
        c.add(part("two:2", Coverage.Outcome.FAILED, "x".repeat(100_000)));
        Coverage.Report got = CoverageTrailer.read(trailers(c));
        assertThat(got).isNotNull();
        assertThat(got.complete()).isFalse();
        assertThat(got.stores()).extracting(Coverage.Store::address).containsExactly("one:1", "two:2");
        assertThat(got.stores().getFirst().below().leftOut()).isEqualTo(5000);
        assertThat(got.stores().getLast().outcome()).isEqualTo(Coverage.Outcome.FAILED);

        for (int i = 0; i < 3000; i++) {
            c.add(part("store-" + i + ":1", Coverage.Outcome.ANSWERED, ""));
        }
        got = CoverageTrailer.read(trailers(c));
        assertThat(got).isNotNull();
        assertThat(got.stores()).extracting(Coverage.Store::address).containsExactly("two:2");
        assertThat(got.leftOut()).isGreaterThan(3000);
    }

    @Test
    void nonsenseIsNoReport() {
        Metadata m = new Metadata();
        m.put(Metadata.Key.of("varve-coverage-bin", Metadata.BINARY_BYTE_MARSHALLER), new byte[]{0x12, 0x7F, 1, 2});
        assertThat(CoverageTrailer.read(m)).isNull();
    }

    @Test
    void severalCallsOfOneStoreAreOneStore() {
        Coverage below1 = new Coverage();
        below1.add(part("deep:1", Coverage.Outcome.ANSWERED, ""));
        Coverage below2 = new Coverage();
        below2.add(part("deep:1", Coverage.Outcome.FAILED, "gone"));
        Coverage c = new Coverage();
        c.add(part("one:1", Coverage.Outcome.ANSWERED, ""));
        c.add(part("one:1", Coverage.Outcome.ANSWERED, ""));
        c.below("one:1", below1.report());
        c.below("one:1", below2.report());
        Coverage.Store one = c.report().stores().getFirst();
        assertThat(one.series()).isEqualTo(14);
        assertThat(one.outcome()).isEqualTo(Coverage.Outcome.PARTIAL);
        assertThat(one.below().stores()).hasSize(1);
        assertThat(one.below().stores().getFirst().outcome()).isEqualTo(Coverage.Outcome.FAILED);
        assertThat(c.complete()).isFalse();
    }
}
