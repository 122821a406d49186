package io.varve.chunk;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleCursor;
import io.varve.model.Span;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Numbers read by looks into a table against the same read one after another. */
class SmallChangesTest {
    private static final int[] WIDTHS = {0, 3, 6, 9, 12, 18, 25};

    /** Numbers of all widths, also such as nobody would write so wide, up to the last bits of an array and beyond them. */
    @Test
    void readsWhatOneNumberAfterAnotherReads() {
        Random rng = new Random(7);
        for (int round = 0; round < 20_000; round++) {
            int n = rng.nextInt(90);
            int from = rng.nextInt(4);
            int widest = 1 + rng.nextInt(WIDTHS.length);
            int zeros = rng.nextInt(10);
            BitWriter out = new BitWriter(0, new byte[64]);
            int lead = rng.nextInt(9);
            out.bits(rng.nextInt(1 << lead), lead);
            for (int i = 0; i < n; i++) {
                int ones = rng.nextInt(10) < zeros ? 0 : rng.nextInt(10) == 0 ? rng.nextInt(widest) : rng.nextInt(Math.min(3, widest));
                out.bits((1L << ones + 1) - 2, ones + 1);
                out.bits(rng.nextInt(1 << WIDTHS[ones]), WIDTHS[ones]);
            }
            out.bits(rng.nextInt(1 << 13), rng.nextInt(14));
            byte[] data = out.toBytes();
            BitReader plain = new BitReader(data, 0, data.length);
            plain.pos = lead;
            BitReader table = new BitReader(data, 0, data.length);
            table.pos = lead;
            byte[] into = new byte[from + n + SmallChanges.SLACK];
            long[] sums = new long[from + n];
            SmallChanges.read(table, into, sums, from, from + n);
            for (int i = from; i < from + n; i++) {
                assertThat(sums[i] + into[i]).as("number %d of %d", i - from, n).isEqualTo(plain.varbitInt());
            }
            assertThat(table.pos).isEqualTo(plain.pos);
        }
    }

    /** Histograms whose changes are small, then large, then small again: each sample is read in the way the one before asks for. */
    @Test
    void readsChunksWhateverTheSizes() {
        Random rng = new Random(11);
        for (int round = 0; round < 300; round++) {
            int positive = rng.nextInt(100);
            int negative = rng.nextInt(8);
            List<Chunk> chunks = new ArrayList<>();
            ChunkAppender appender = ChunkAppender.plain(Integer.MAX_VALUE, chunks::add);
            List<Histogram> written = new ArrayList<>();
            int bits = 2;
            for (int i = 0; i < 40; i++) {
                bits = rng.nextInt(6) == 0 ? 1 + rng.nextInt(20) : bits;
                Histogram h = new Histogram(CounterResetHint.GAUGE, 3, 1e-128, rng.nextInt(5), rng.nextInt(1000), rng.nextDouble(),
                        spans(positive), deltas(rng, positive, bits), spans(negative), deltas(rng, negative, bits),
                        FloatHistogram.NO_BUCKETS);
                written.add(h);
                appender.append(0, i * 15_000L, h);
            }
            appender.cut();
            int i = 0;
            for (Chunk c : chunks) {
                for (SampleCursor in = ChunkDecoder.cursor(c); in.next() != SampleCursor.Kind.END;) {
                    Histogram h = in.histogram();
                    assertThat(h).isNotNull();
                    assertThat(h.positiveDeltas()).containsExactly(written.get(i).positiveDeltas());
                    assertThat(h.negativeDeltas()).containsExactly(written.get(i++).negativeDeltas());
                }
            }
            assertThat(i).isEqualTo(written.size());
        }
    }

    private static List<Span> spans(int buckets) {
        return buckets == 0 ? List.of() : List.of(new Span(-3, buckets));
    }

    private static long[] deltas(Random rng, int n, int bits) {
        long[] d = new long[n];
        for (int i = 0; i < n; i++) {
            d[i] = rng.nextInt(1 << bits) - (1 << bits >> 1);
        }
        return d;
    }
}
