package io.varve.chunk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleBuffer;
import io.varve.model.SampleCursor;
import io.varve.model.Span;
import io.varve.testkit.Shared;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every chunk that Prometheus' appenders wrote reads exactly and is written again byte for byte. */
class GoldenChunksTest {
    @ParameterizedTest
    @ValueSource(strings = {"xor", "xor2"})
    void floatsReadAndEncodeAsPrometheusDoes(String name) {
        Path file = Shared.golden("chunks/" + name + ".jsonl.gz").orElse(null);
        assumeTrue(file != null);
        try (Stream<JsonNode> lines = Shared.jsonLines(file)) {
            long n = lines.peek(GoldenChunksTest::checkFloats).count();
            assertThat(n).isPositive();
        }
    }

    private static void checkFloats(JsonNode line) {
        String name = line.get("name").textValue();
        Encoding encoding = Encoding.ofCode(line.get("encoding").intValue());
        byte[] data = Shared.hex(line.get("data").textValue());
        SampleBuffer b = new SampleBuffer(0);
        int n = ChunkDecoder.decode(encoding, data, 0, data.length, b);
        JsonNode samples = line.get("samples");
        assertThat(n).as(name).isEqualTo(samples.size()).isEqualTo(line.get("num_samples").intValue());
        List<Chunk> written = new ArrayList<>();
        ChunkAppender appender = encoding == Encoding.XOR
                ? ChunkAppender.plain(Integer.MAX_VALUE, written::add)
                : ChunkAppender.withStartTimestamps(Integer.MAX_VALUE, written::add);
        for (int i = 0; i < n; i++) {
            JsonNode s = samples.get(i);
            long st = s.size() > 2 ? s.get(2).longValue() : 0;
            assertThat(b.timestamps[i]).as(name).isEqualTo(s.get(0).longValue());
            assertThat(Double.doubleToRawLongBits(b.values[i])).as(name).isEqualTo(Double.doubleToRawLongBits(Shared.bits(s.get(1))));
            assertThat(b.startTimestamps == null ? 0 : b.startTimestamps[i]).as(name + " " + i).isEqualTo(st);
            appender.append(st, s.get(0).longValue(), Shared.bits(s.get(1)));
        }
        appender.cut();
        assertThat(written).as(name).hasSize(n == 0 ? 0 : 1);
        if (n > 0) {
            assertThat(HexFormat.of().formatHex(written.getFirst().data())).as(name).isEqualTo(line.get("data").textValue());
            assertThat(written.getFirst().minTime()).isEqualTo(b.timestamps[0]);
            assertThat(written.getFirst().maxTime()).isEqualTo(b.timestamps[n - 1]);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"histogram", "floathistogram", "histogram-st", "floathistogram-st"})
    void histogramsReadAndEncodeAsPrometheusDoes(String name) {
        Path file = Shared.golden("chunks/" + name + ".jsonl.gz").orElse(null);
        assumeTrue(file != null);
        try (Stream<JsonNode> lines = Shared.jsonLines(file)) {
            long n = lines.peek(GoldenChunksTest::checkHistograms).count();
            assertThat(n).isPositive();
        }
    }

    private static void checkHistograms(JsonNode line) {
        String name = line.get("name").textValue();
        Encoding encoding = Encoding.ofCode(line.get("encoding").intValue());
        boolean starts = encoding == Encoding.HISTOGRAM_ST || encoding == Encoding.FLOAT_HISTOGRAM_ST;
        List<Chunk> written = new ArrayList<>();
        ChunkAppender appender = starts
                ? ChunkAppender.withStartTimestamps(Integer.MAX_VALUE, written::add)
                : ChunkAppender.plain(Integer.MAX_VALUE, written::add);
        for (JsonNode s : line.get("appended")) {
            long st = s.path("st").longValue();
            long t = s.get("t").longValue();
            JsonNode h = s.get("h");
            if (h.get("kind").textValue().equals("int")) {
                appender.append(st, t, histogram(h));
            } else {
                appender.append(st, t, floatHistogram(h));
            }
        }
        appender.cut();
        JsonNode chunks = line.get("chunks");
        for (int i = 0; i < chunks.size(); i++) {
            JsonNode expected = chunks.get(i);
            byte[] data = Shared.hex(expected.get("data").textValue());
            checkRead(name + " chunk " + i, encoding, data, expected);
            assertThat(i).as(name + ": chunks written").isLessThan(written.size());
            assertThat(HexFormat.of().formatHex(written.get(i).data())).as(name + " chunk " + i)
                    .isEqualTo(expected.get("data").textValue());
        }
        assertThat(written).as(name).hasSize(chunks.size());
    }

    private static void checkRead(String what, Encoding encoding, byte[] data, JsonNode expected) {
        Chunk chunk = Chunk.of(0, 0, encoding, data);
        SampleBuffer b = new SampleBuffer(0);
        int n = ChunkDecoder.decode(chunk, b);
        assertThat(n).as(what).isEqualTo(expected.get("num_samples").intValue()).isEqualTo(ChunkDecoder.sampleCount(chunk));
        assertThat(ChunkDecoder.counterReset(chunk)).as(what).isEqualTo(header(expected.get("counter_reset_header")));
        SampleCursor cursor = ChunkDecoder.cursor(chunk);
        JsonNode samples = expected.get("samples");
        assertThat(samples.size()).isEqualTo(n);
        for (int i = 0; i < n; i++) {
            JsonNode s = samples.get(i);
            JsonNode h = s.get("h");
            SampleCursor.Kind kind = cursor.next();
            assertThat(cursor.timestamp()).as(what).isEqualTo(s.get("t").longValue()).isEqualTo(b.timestamps[i]);
            assertThat(cursor.startTimestamp()).as(what).isEqualTo(s.path("st").longValue())
                    .isEqualTo(b.startTimestamps == null ? 0 : b.startTimestamps[i]);
            FloatHistogram read = Objects.requireNonNull(b.histogram(i));
            if (kind == SampleCursor.Kind.HISTOGRAM) {
                assertThat(h.get("kind").textValue()).isEqualTo("int");
                Histograms.assertSame(what + " sample " + i, cursor.histogram(), histogram(h));
                Histograms.assertSame(what + " sample " + i, read, histogram(h).toFloat());
            } else {
                Histograms.assertSame(what + " sample " + i, cursor.floatHistogram(), floatHistogram(h));
                Histograms.assertSame(what + " sample " + i, read, floatHistogram(h));
            }
        }
        assertThat(cursor.next()).isEqualTo(SampleCursor.Kind.END);
    }

    private static CounterResetHint header(JsonNode name) {
        return switch (name.textValue().toLowerCase(Locale.ROOT).replace("_", "").replace("counter", "")) {
            case "unknown", "unknownreset" -> CounterResetHint.UNKNOWN;
            case "reset" -> CounterResetHint.RESET;
            case "notreset" -> CounterResetHint.NOT_RESET;
            case "gauge", "gaugetype" -> CounterResetHint.GAUGE;
            default -> throw new AssertionError("unknown header " + name);
        };
    }

    private static CounterResetHint hint(JsonNode h) {
        return CounterResetHint.valueOf(h.get("hint").textValue().toUpperCase(Locale.ROOT));
    }

    private static Histogram histogram(JsonNode h) {
        return new Histogram(hint(h), h.get("schema").intValue(), Shared.bits(h.get("zero_threshold")),
                Long.parseUnsignedLong(h.get("zero_count").textValue()), Long.parseUnsignedLong(h.get("count").textValue()),
                Shared.bits(h.get("sum")), spans(h.get("pos_spans")), longs(h.get("pos_deltas")), spans(h.get("neg_spans")),
                longs(h.get("neg_deltas")), doubles(h.path("custom")));
    }

    private static FloatHistogram floatHistogram(JsonNode h) {
        return new FloatHistogram(hint(h), h.get("schema").intValue(), Shared.bits(h.get("zero_threshold")),
                Shared.bits(h.get("zero_count")), Shared.bits(h.get("count")), Shared.bits(h.get("sum")), spans(h.get("pos_spans")),
                doubles(h.get("pos_counts")), spans(h.get("neg_spans")), doubles(h.get("neg_counts")), doubles(h.path("custom")));
    }

    private static List<Span> spans(JsonNode list) {
        List<Span> out = new ArrayList<>();
        list.forEach(s -> out.add(new Span(s.get(0).intValue(), s.get(1).intValue())));
        return out;
    }

    private static long[] longs(JsonNode list) {
        long[] out = new long[list.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = list.get(i).longValue();
        }
        return out;
    }

    private static double[] doubles(JsonNode list) {
        double[] out = new double[list.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = Shared.bits(list.get(i));
        }
        return out;
    }

    @Test
    void downsampledChunksOfThanosReadAndEncodeAgain() {
        for (String name : List.of("ha-pair/aggrchunks", "vertical/aggrchunks-default", "vertical/aggrchunks-penalty")) {
            Path file = Shared.golden("thanos/buckets/" + name + ".jsonl.gz").orElse(null);
            assumeTrue(file != null);
            try (Stream<JsonNode> lines = Shared.jsonLines(file)) {
                long n = lines.peek(GoldenChunksTest::checkAggregate).count();
                assertThat(n).isPositive();
            }
        }
    }

    private static void checkAggregate(JsonNode line) {
        byte[] data = Shared.hex(line.get("hex").textValue());
        AggregateChunk a = AggregateChunk.parse(Chunk.of(1, 2, Encoding.AGGREGATE, data));
        assertThat(a.encode()).isEqualTo(data);
        JsonNode parts = line.get("parts");
        List<Chunk> again = new ArrayList<>();
        for (AggregateChunk.Part part : AggregateChunk.Part.values()) {
            JsonNode expected = parts.get(part.name().toLowerCase(Locale.ROOT));
            Chunk c = a.part(part);
            again.add(c);
            if (expected == null) {
                assertThat(c).as("absent " + part).isNull();
                continue;
            }
            Objects.requireNonNull(c, "absent");
            assertThat(c.encoding()).isEqualTo(expected.get("enc").textValue().equals("xor") ? Encoding.XOR : Encoding.FLOAT_HISTOGRAM);
            assertThat(HexFormat.of().formatHex(c.copyData())).isEqualTo(expected.get("hex").textValue());
            assertThat(HexFormat.of().formatHex(encodedAgain(c))).as(part + " encoded again").isEqualTo(expected.get("hex").textValue());
        }
        assertThat(AggregateChunk.of(again.get(0), again.get(1), again.get(2), again.get(3), again.get(4)).encode()).isEqualTo(data);
    }

    /** One chunk's samples through an appender; its header is kept, as a first sample's hint is not readable. */
    private static byte[] encodedAgain(Chunk chunk) {
        List<Chunk> written = new ArrayList<>();
        ChunkAppender appender = ChunkAppender.plain(Integer.MAX_VALUE, written::add);
        SampleCursor cursor = ChunkDecoder.cursor(chunk);
        for (SampleCursor.Kind kind = cursor.next(); kind != SampleCursor.Kind.END; kind = cursor.next()) {
            appender.append(cursor, kind);
        }
        appender.cut();
        assertThat(written).hasSize(1);
        byte[] bytes = written.getFirst().data();
        if (chunk.encoding() == Encoding.FLOAT_HISTOGRAM) {
            bytes[2] = chunk.data()[chunk.offset() + 2];
        }
        return bytes;
    }
}
