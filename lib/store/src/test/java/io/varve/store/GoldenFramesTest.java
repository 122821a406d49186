package io.varve.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.CorruptDataException;
import io.varve.model.VarveException;
import io.varve.proto.thanos.SeriesResponse;
import io.varve.testkit.Shared;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Frames that Thanos sent: reading and writing them again gives the same bytes, and the same as the generated types see. */
class GoldenFramesTest {
    @ParameterizedTest
    @ValueSource(strings = {"store-raw", "store-compacted", "store-downsampled", "store-sidecar-blocks", "sidecar-real", "query"})
    void seriesFramesSurviveTheRoundTrip(String target) throws Exception {
        Optional<Path> golden = Shared.golden("thanos/storeapi/" + target + ".jsonl.gz");
        if (golden.isEmpty()) {
            return;
        }
        int frames = 0;
        try (Stream<JsonNode> lines = Shared.jsonLines(golden.get())) {
            for (JsonNode line : (Iterable<JsonNode>) lines::iterator) {
                if (!line.get("method").asText().equals("/thanos.Store/Series")) {
                    continue;
                }
                SeriesFrames.Reader reader = new SeriesFrames.Reader("golden", new LabelTexts());
                for (JsonNode frame : line.get("frames")) {
                    byte[] bytes = HexFormat.of().parseHex(frame.get("hex").asText());
                    Collected c = new Collected();
                    reader.read(bytes, 0, bytes.length, c);
                    SeriesResponse slow = SeriesResponse.parseFrom(bytes);
                    ProtoWriter out = new ProtoWriter(0);
                    switch (slow.getResultCase()) {
                        case SERIES -> SeriesFrames.writeSeries(out, c.series.getFirst(), true);
                        case BATCH -> SeriesFrames.writeBatch(out, c.series, true);
                        case WARNING -> SeriesFrames.writeWarning(out, c.warnings.getFirst());
                        case HINTS -> SeriesFrames.writeQueriedBlocks(out, c.blocks);
                        case RESULT_NOT_SET -> throw new AssertionError("empty frame");
                    }
                    assertThat(out.toByteArray()).as(line.get("name").asText()).isEqualTo(bytes);
                    if (slow.hasSeries()) {
                        assertThat(c.series.getFirst().labels()).isEqualTo(Wire.labels(slow.getSeries().getLabelsList()));
                        assertThat(c.series.getFirst().chunks()).hasSize(slow.getSeries().getChunksCount());
                    }
                    frames++;
                    // Damage: every tenth frame, every byte in turn for the small ones.
                    if (frames % 50 == 0 && bytes.length < 2000) {
                        damaged(bytes);
                    }
                }
            }
        }
        assertThat(frames).isPositive();
    }

    private static void damaged(byte[] bytes) {
        for (int i = 0; i < bytes.length; i++) {
            byte[] broken = bytes.clone();
            broken[i] ^= (byte) (1 << i % 8);
            try {
                new SeriesFrames.Reader("golden", new LabelTexts()).read(broken, 0, broken.length, new Collected());
            } catch (CorruptDataException e) {
                assertThat(e.file()).isEqualTo("golden");
            }
            int length = i;
            try {
                new SeriesFrames.Reader("golden", new LabelTexts()).read(bytes, 0, length, new Collected());
            } catch (CorruptDataException e) {
                assertThat(e.offset()).isBetween(0L, (long) length);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"store-raw", "sidecar-real", "query"})
    void requestsSurviveTheRoundTrip(String target) throws Exception {
        Optional<Path> golden = Shared.golden("thanos/storeapi/" + target + ".jsonl.gz");
        if (golden.isEmpty()) {
            return;
        }
        try (Stream<JsonNode> lines = Shared.jsonLines(golden.get())) {
            for (JsonNode line : (Iterable<JsonNode>) lines::iterator) {
                byte[] bytes = HexFormat.of().parseHex(line.get("request_hex").asText());
                if (!line.get("method").asText().equals("/thanos.Store/Series")) {
                    continue;
                }
                var slow = io.varve.proto.thanos.SeriesRequest.parseFrom(bytes);
                try {
                    SeriesRequest request = Wire.read(slow, HintsPolicy.STRICT);
                    SeriesRequest again = Wire.read(Wire.write(request), HintsPolicy.STRICT);
                    assertThat(again).as(line.get("name").asText()).isEqualTo(request);
                } catch (VarveException e) {
                    assertThat(line.get("code").asText().equals("InvalidArgument") || line.get("name").asText().contains("hint-wrong-type"))
                            .as(line.get("name").asText() + e.getMessage()).isTrue();
                }
            }
        }
    }

    @org.junit.jupiter.api.Test
    void unreadableBytesAreCorruptNotWorse() {
        java.util.Random random = new java.util.Random(7);
        for (int i = 0; i < 20_000; i++) {
            byte[] bytes = new byte[random.nextInt(64)];
            random.nextBytes(bytes);
            try {
                new SeriesFrames.Reader("x", new LabelTexts()).read(bytes, 0, bytes.length, new Collected());
            } catch (CorruptDataException e) {
                assertThat(e.file()).isEqualTo("x");
            }
        }
        assertThatThrownBy(() -> new SeriesFrames.Reader("x", new LabelTexts()).read(new byte[]{(byte) 0x0a, 5}, 0, 2, new Collected()))
                .isInstanceOf(CorruptDataException.class).hasMessageContaining("5 bytes");
    }

    static final class Collected implements SeriesFrames.Reader.Frames {
        final List<StoreSeries> series = new ArrayList<>();
        final List<String> warnings = new ArrayList<>();
        List<String> blocks = List.of();

        @Override
        public void series(StoreSeries s) {
            series.add(s);
        }

        @Override
        public void warning(String text) {
            warnings.add(text);
        }

        @Override
        public void queriedBlocks(List<String> ids) {
            blocks = ids;
        }
    }
}
