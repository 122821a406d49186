package io.varve.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.Encoding;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.model.SampleCursor;
import io.varve.testkit.Shared;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What callers that do not know start timestamps are given. */
class ChunkEncodingsTest {
    private static final Labels LABELS = Labels.of("__name__", "m");

    @Test
    void floatsWithStartTimestampsComeAsTheyWouldWithoutThem() {
        SplittableRandom random = new SplittableRandom(3);
        for (int n : new int[]{1, 2, 119, 120, 121, 1000}) {
            List<Chunk> with = new ArrayList<>();
            List<Chunk> without = new ArrayList<>();
            ChunkAppender starts = ChunkAppender.withStartTimestamps(Integer.MAX_VALUE, with::add);
            ChunkAppender plain = ChunkAppender.plain(Integer.MAX_VALUE, without::add);
            long t = 1_700_000_000_000L;
            for (int i = 0; i < n; i++) {
                t += 15_000 + random.nextInt(-20, 20);
                double v = i % 50 == 49 ? SampleBuffer.STALE_NAN : random.nextInt(3) == 0 ? random.nextDouble() : i;
                starts.append(t - 60_000, t, v);
                plain.append(t, v);
            }
            starts.cut();
            plain.cut();
            assertThat(with).extracting(Chunk::encoding).containsExactly(Encoding.XOR2);
            assertThat(ChunkEncodings.plain(series(with)).chunks()).usingRecursiveComparison()
                    .isEqualTo(without.stream().map(StoreChunk::raw).toList());
        }
    }

    @Test
    void aSeriesOfPlainChunksStaysAsItIs() {
        List<Chunk> chunks = new ArrayList<>();
        ChunkAppender plain = ChunkAppender.plain(1, chunks::add);
        plain.append(1, 1);
        plain.append(2, 2);
        plain.cut();
        StoreSeries series = series(chunks);
        assertThat(ChunkEncodings.plain(series)).isSameAs(series);
        ChunkAppender starts = ChunkAppender.withStartTimestamps(1, chunks::add);
        starts.append(2, 3, 3);
        starts.cut();
        StoreSeries mixed = series(chunks);
        List<StoreChunk> got = ChunkEncodings.plain(mixed).chunks();
        assertThat(got.subList(0, 2)).isEqualTo(mixed.chunks().subList(0, 2));
        assertThat(got).extracting(c -> c.raw() == null ? null : c.raw().encoding()).containsExactly(Encoding.XOR, Encoding.XOR,
                Encoding.XOR);
    }

    /** Chunks that Prometheus wrote: the same samples, hints of counter resets among them. */
    @ParameterizedTest
    @ValueSource(strings = {"xor2", "histogram-st", "floathistogram-st"})
    void samplesOfPrometheusChunksAreTheSame(String name) {
        Path file = Shared.golden("chunks/" + name + ".jsonl.gz").orElse(null);
        assumeTrue(file != null);
        int chunks = 0;
        try (Stream<JsonNode> lines = Shared.jsonLines(file)) {
            for (JsonNode line : (Iterable<JsonNode>) lines::iterator) {
                String as = line.get("name").textValue();
                for (JsonNode c : line.has("chunks") ? line.get("chunks") : List.of(line)) {
                    byte[] data = Shared.hex(c.get("data").textValue());
                    Chunk chunk = Chunk.of(0, Long.MAX_VALUE, Encoding.ofCode(line.get("encoding").intValue()), data);
                    List<String> got = new ArrayList<>();
                    for (StoreChunk plain : ChunkEncodings.plain(series(List.of(chunk))).chunks()) {
                        Chunk raw = Objects.requireNonNull(plain.raw());
                        assertThat(raw.encoding()).as(as).isIn(Encoding.XOR, Encoding.HISTOGRAM, Encoding.FLOAT_HISTOGRAM);
                        got.addAll(samples(raw));
                    }
                    assertThat(got).as(as).isEqualTo(samples(chunk));
                    chunks++;
                }
            }
        }
        assertThat(chunks).isPositive();
    }

    private static List<String> samples(Chunk chunk) {
        List<String> out = new ArrayList<>();
        SampleCursor cursor = ChunkDecoder.cursor(chunk);
        for (SampleCursor.Kind kind = cursor.next(); kind != SampleCursor.Kind.END; kind = cursor.next()) {
            out.add(cursor.timestamp() + " " + (kind == SampleCursor.Kind.FLOAT
                    ? Long.toHexString(Double.doubleToRawLongBits(cursor.value()))
                    : cursor.floatHistogram() + " " + cursor.floatHistogram().schema() + " " + cursor.floatHistogram().hint()));
        }
        return out;
    }

    private static StoreSeries series(List<Chunk> chunks) {
        return new StoreSeries(LABELS, chunks.stream().map(StoreChunk::raw).toList());
    }
}
