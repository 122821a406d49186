package io.varve.querier.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.Span;
import io.varve.promql.QueryValue;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Answers of any size go out in small pieces: nothing of the text is kept. */
class JsonOutTest {
    /** Counts, keeps nothing. */
    private static final class Sink extends OutputStream {
        long bytes;
        int largest;

        @Override
        public void write(int b) {
            bytes++;
        }

        @Override
        public void write(byte[] b, int off, int len) {
            bytes += len;
            largest = Math.max(largest, len);
        }
    }

    private static Sink written(Envelope.Data data) throws IOException {
        Sink sink = new Sink();
        JsonOut out = new JsonOut(sink);
        data.write(out);
        out.flush();
        return sink;
    }

    private static QueryValue.Row row(int points, boolean histograms) {
        long[] times = new long[points];
        double[] values = new double[points];
        for (int i = 0; i < points; i++) {
            times[i] = 1_700_000_000_000L + i * 15_000L;
            values[i] = i / 7.0;
        }
        double[] counts = new double[100];
        Arrays.fill(counts, 0.1);
        FloatHistogram h = new FloatHistogram(CounterResetHint.NOT_RESET, 0, 0, 0, 10, 10, List.of(new Span(0, 100)), counts,
                List.of(), FloatHistogram.NO_BUCKETS, FloatHistogram.NO_BUCKETS);
        FloatHistogram[] all = new FloatHistogram[histograms ? points : 0];
        Arrays.fill(all, h);
        return new QueryValue.Row(Labels.of("__name__", "m", "instance", "a:1"), histograms ? new long[0] : times,
                histograms ? new double[0] : values, histograms ? times : new long[0], all);
    }

    @Test
    void hundredsOfMegabytesOfARangeAnswerGoOutInSmallPieces() throws IOException {
        QueryValue floats = new QueryValue.Matrix(Collections.nCopies(800, row(11_000, false)));
        Sink sink = written(out -> HttpApi.value(out, floats, 800));
        assertThat(sink.bytes).isGreaterThan(200L << 20);
        assertThat(sink.largest).isLessThan(64 << 10);
        QueryValue histograms = new QueryValue.Matrix(Collections.nCopies(2, row(5_000, true)));
        Sink other = written(out -> HttpApi.value(out, histograms, 2));
        assertThat(other.bytes).isGreaterThan(20L << 20);
        assertThat(other.largest).isLessThan(64 << 10);
    }

    @Test
    void soDoInstantAnswersNamesAndLabelSets() throws IOException {
        QueryValue vector = new QueryValue.Vector(
                Collections.nCopies(300_000, new QueryValue.Sample(Labels.of("__name__", "m", "instance", "a:1"), 1000, 1.5, null)));
        Sink a = written(out -> HttpApi.value(out, vector, 300_000));
        assertThat(a.bytes).isGreaterThan(5L << 20);
        assertThat(a.largest).isLessThan(64 << 10);
        Sink b = written(out -> out.strings(Collections.nCopies(300_000, "x".repeat(40))));
        assertThat(b.bytes).isGreaterThan(5L << 20);
        assertThat(b.largest).isLessThan(64 << 10);
        List<Labels> series = new ArrayList<>(Collections.nCopies(300_000, Labels.of("__name__", "m", "instance", "a:1")));
        Sink c = written(out -> HttpApi.labelSets(out, series));
        assertThat(c.bytes).isGreaterThan(5L << 20);
        assertThat(c.largest).isLessThan(64 << 10);
    }
}
