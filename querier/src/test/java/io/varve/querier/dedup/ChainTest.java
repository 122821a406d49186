package io.varve.querier.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import io.varve.model.Span;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What the chained merge makes of the hints of native histograms. */
class ChainTest {
    private static final CounterResetHint NOT = CounterResetHint.NOT_RESET;
    private static final CounterResetHint UNKNOWN = CounterResetHint.UNKNOWN;

    private static SampleBuffer replica(long... times) {
        SampleBuffer b = new SampleBuffer(times.length);
        for (long t : times) {
            b.add(t, new FloatHistogram(NOT, 0, 0, 0, t, t, List.of(new Span(0, 1)), new double[]{t}, List.of(), FloatHistogram.NO_BUCKETS,
                    FloatHistogram.NO_BUCKETS));
        }
        return b;
    }

    private static List<CounterResetHint> hints(SampleBuffer b) {
        return IntStream.range(0, b.size).mapToObj(i -> b.histogramArray()[i].hint()).toList();
    }

    @Test
    void aHintAboutTheSampleBeforeHoldsOnlyWhereTheSameReplicaSaidIt() {
        List<SampleBuffer> replicas = List.of(replica(10, 20, 30, 60), replica(35, 40, 55, 60, 70));
        SampleBuffer out = new SampleBuffer(16);
        Chain.merge(replicas, out);
        assertThat(out.timestamps).startsWith(10, 20, 30, 35, 40, 55, 60, 70);
        assertThat(hints(out)).containsExactly(UNKNOWN, NOT, NOT, UNKNOWN, NOT, NOT, UNKNOWN, UNKNOWN);
        SampleBuffer stepped = new SampleBuffer(16);
        Chain.merge(replicas, new Chain.Steps(20, 20, 5), stepped);
        assertThat(stepped.histogramArray()[0].hint()).isEqualTo(UNKNOWN);
        assertThat(hints(replicas.getFirst())).containsOnly(NOT);
    }
}
