package io.varve.chunk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.varve.model.SampleCursor;
import io.varve.testkit.Shared;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every chunk in the segment files of real blocks is written again byte for byte from the samples it holds. */
class GoldenSegmentsTest {
    @ParameterizedTest
    @ValueSource(strings = {"blocks/compact3", "blocks/floats", "blocks/histograms", "blocks/indexv1", "blocks/labels", "blocks/overlap",
            "blocks/startts",
            "blocks/tombstones", "promql-eval/day", "thanos/buckets/ha-pair/0-uploaded", "thanos/buckets/ha-pair/2-downsampled",
            "thanos/buckets/sidecar-real", "thanos/buckets/vertical"})
    void chunksOfRealBlocksEncodeToThemselves(String directory) throws IOException {
        Path root = Shared.golden(directory).orElse(null);
        assumeTrue(root != null);
        Map<Encoding, Integer> seen = new EnumMap<>(Encoding.class);
        List<String> wrong = new ArrayList<>();
        try (Stream<Path> files = Files.walk(root)) {
            for (Path file : files.filter(f -> f.getFileName().toString().matches("\\d{6}")).toList()) {
                segment(file, seen, wrong);
            }
        }
        System.out.println(directory + ": " + seen);
        assertThat(seen).isNotEmpty();
        assertThat(wrong.stream().limit(20)).as(wrong.size() + " chunks").isEmpty();
    }

    private static void segment(Path file, Map<Encoding, Integer> seen, List<String> wrong) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        ByteBuffer in = ByteBuffer.wrap(bytes);
        assertThat(in.getInt()).isEqualTo(0x85BD40DD);
        in.position(8);
        while (in.hasRemaining()) {
            int at = in.position();
            int length = 0;
            for (int shift = 0;; shift += 7) {
                byte b = in.get();
                length |= (b & 0x7F) << shift;
                if (b >= 0) {
                    break;
                }
            }
            int start = in.position();
            CRC32C crc = new CRC32C();
            crc.update(bytes, start, length + 1);
            in.position(start + 1 + length);
            assertThat(in.getInt()).isEqualTo((int) crc.getValue());
            Chunk chunk = new Chunk(0, 0, Encoding.ofCode(bytes[start] & 0xFF), bytes, start + 1, length);
            seen.merge(chunk.encoding(), 1, Integer::sum);
            if (chunk.encoding() == Encoding.AGGREGATE) {
                AggregateChunk a = AggregateChunk.parse(chunk);
                for (AggregateChunk.Part part : AggregateChunk.Part.values()) {
                    Chunk c = a.part(part);
                    if (c != null) {
                        compare(file + " at " + at + " " + part, c, wrong);
                    }
                }
                if (!Chunk.of(0, 0, Encoding.AGGREGATE, a.encode()).sameContent(chunk)) {
                    wrong.add(file + " at " + at);
                }
            } else {
                compare(file + " at " + at, chunk, wrong);
            }
        }
    }

    private static void compare(String what, Chunk chunk, List<String> wrong) {
        List<Chunk> written = new ArrayList<>();
        boolean starts = switch (chunk.encoding()) {
            case XOR2, HISTOGRAM_ST, FLOAT_HISTOGRAM_ST -> true;
            case XOR, HISTOGRAM, FLOAT_HISTOGRAM, AGGREGATE -> false;
        };
        ChunkAppender appender = starts
                ? ChunkAppender.withStartTimestamps(Integer.MAX_VALUE, written::add)
                : ChunkAppender.plain(Integer.MAX_VALUE, written::add);
        SampleCursor cursor = ChunkDecoder.cursor(chunk);
        for (SampleCursor.Kind kind = cursor.next(); kind != SampleCursor.Kind.END; kind = cursor.next()) {
            appender.append(cursor, kind);
        }
        appender.cut();
        if (written.size() != 1) {
            wrong.add(what + ": " + written.size() + " chunks of " + chunk.encoding());
            return;
        }
        byte[] bytes = written.getFirst().data();
        // What the header says of a reset before the first sample is not part of the samples.
        int header = chunk.encoding() == Encoding.HISTOGRAM_ST || chunk.encoding() == Encoding.FLOAT_HISTOGRAM_ST ? 0 : 2;
        if (chunk.encoding() != Encoding.XOR && chunk.encoding() != Encoding.XOR2) {
            bytes[header] = (byte) (bytes[header] & 0x3F | chunk.data()[chunk.offset() + header] & 0xC0);
        }
        if (what.contains("indexv1")) {
            // Prometheus of 2018 left a zero byte behind; readers ignore it.
            assertThat(chunk.data()[chunk.offset() + chunk.length() - 1]).isZero();
            bytes = Arrays.copyOf(bytes, bytes.length + 1);
        }
        if (!Chunk.of(0, 0, chunk.encoding(), bytes).sameContent(chunk)) {
            wrong.add(what + ": " + chunk.encoding());
        }
    }
}
