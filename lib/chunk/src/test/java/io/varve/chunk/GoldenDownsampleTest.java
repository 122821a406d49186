package io.varve.chunk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.chunk.AggregateChunk.Part;
import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import io.varve.testkit.Shared;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Downsampled chunks and what is read of them, byte for byte against Thanos'. */
class GoldenDownsampleTest {
    private static final HexFormat HEX = HexFormat.of();

    @Test
    void chunksAreThoseOfThanos() throws Exception {
        Path file = Shared.golden("thanos/downsample.jsonl.gz").orElse(null);
        assumeTrue(file != null);
        List<String> wrong = new ArrayList<>();
        TreeMap<String, int[]> kinds = new TreeMap<>();
        try (Stream<JsonNode> lines = Shared.jsonLines(file)) {
            lines.forEach(line -> {
                String kind = line.path("shape").path("kind").asText();
                // Thanos keeps only what follows the last change of custom bounds and loses the rest of such a chunk; here nothing is lost.
                boolean lossy = kind.equals("nhcb-bounds");
                Downsampler downsampler = new Downsampler();
                List<Chunk> five = downsampler.raw(chunks(line.path("raw").path("chunks")), 300_000);
                List<Chunk> hour = downsampler.aggregated(chunks(line.path("5m").path("chunks")), 300_000, 3_600_000);
                int[] n = kinds.computeIfAbsent(kind, k -> new int[2]);
                n[1]++;
                boolean good = same(line.path("5m").path("chunks"), five) & same(line.path("1h").path("chunks"), hour);
                n[0] += good ? 1 : 0;
                if (lossy) {
                    assertThat(windows(hour)).isPositive();
                } else if (!good) {
                    wrong.add(kind + " " + line.path("case"));
                }
            });
        }
        kinds.forEach((kind, n) -> System.out.println("downsample " + kind + ": " + n[0] + " of " + n[1]));
        assertThat(wrong).isEmpty();
    }

    @Test
    void countersAndAveragesReadAsInThanos() throws Exception {
        Path file = Shared.golden("thanos/downsample.jsonl.gz").orElse(null);
        assumeTrue(file != null);
        try (Stream<JsonNode> lines = Shared.jsonLines(file)) {
            lines.forEach(line -> {
                for (String level : List.of("5m", "1h")) {
                    JsonNode golden = line.path(level);
                    List<Chunk> chunks = chunks(golden.path("chunks"));
                    CounterReader counter = new CounterReader();
                    SampleBuffer counters = new SampleBuffer(16);
                    chunks.forEach(c -> counter.append(c, counters));
                    assertThat(text(counters)).as("%s counter of %s", level, line.path("case"))
                            .isEqualTo(text(golden.path("counter_applied")));
                    if (golden.has("average")) {
                        SampleBuffer averages = new SampleBuffer(16);
                        chunks.stream().map(AggregateChunk::parse).forEach(a -> AverageReader.append(
                                Objects.requireNonNull(a.part(Part.COUNT)), Objects.requireNonNull(a.part(Part.SUM)), averages));
                        assertThat(text(averages)).as("%s average of %s", level, line.path("case")).isEqualTo(text(golden.path("average")));
                    }
                }
            });
        }
    }

    private static int windows(List<Chunk> chunks) {
        return chunks.stream().map(c -> AggregateChunk.parse(c).part(Part.COUNT)).mapToInt(c -> c == null ? 0 : ChunkDecoder.sampleCount(c))
                .sum();
    }

    private static boolean same(JsonNode golden, List<Chunk> chunks) {
        if (golden.size() != chunks.size()) {
            return false;
        }
        for (int i = 0; i < chunks.size(); i++) {
            Chunk c = chunks.get(i);
            if (c.minTime() != golden.get(i).path("min").asLong() || c.maxTime() != golden.get(i).path("max").asLong()
                    || !HEX.formatHex(c.copyData()).equals(golden.get(i).path("hex").asText())) {
                return false;
            }
        }
        return true;
    }

    private static List<Chunk> chunks(JsonNode golden) {
        List<Chunk> chunks = new ArrayList<>();
        for (JsonNode c : golden) {
            Encoding encoding = switch (c.path("enc").asText()) {
                case "xor" -> Encoding.XOR;
                case "histogram" -> Encoding.HISTOGRAM;
                case "float_histogram" -> Encoding.FLOAT_HISTOGRAM;
                case "aggr" -> Encoding.AGGREGATE;
                default -> throw new IllegalArgumentException(c.path("enc").asText());
            };
            chunks.add(Chunk.of(c.path("min").asLong(), c.path("max").asLong(), encoding, HEX.parseHex(c.path("hex").asText())));
        }
        return chunks;
    }

    private static List<String> text(SampleBuffer samples) {
        List<String> out = new ArrayList<>();
        for (int i = 0; i < samples.size; i++) {
            FloatHistogram h = samples.histogram(i);
            out.add(samples.timestamps[i] + " " + (h == null ? "" + samples.values[i] : "histogram " + h.count() + " " + h.sum()));
        }
        return out;
    }

    private static List<String> text(JsonNode runs) {
        List<String> out = new ArrayList<>();
        for (JsonNode run : runs) {
            long t = 0;
            for (int i = 0; i < run.path("t").size(); i++) {
                t += run.path("t").get(i).asLong();
                if (run.has("h")) {
                    JsonNode h = run.path("h").get(i);
                    out.add(t + " histogram " + h.path("count").asDouble() + " " + number(h.path("sum")));
                } else {
                    out.add(t + " " + number(run.path("v").get(i)));
                }
            }
        }
        return out;
    }

    private static double number(JsonNode n) {
        return switch (n.asText()) {
            case "NaN" -> Double.NaN;
            case "+Inf" -> Double.POSITIVE_INFINITY;
            case "-Inf" -> Double.NEGATIVE_INFINITY;
            case "-0" -> -0.0;
            default -> n.asDouble();
        };
    }
}
