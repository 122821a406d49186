package io.varve.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.model.InvalidRequestException;
import io.varve.model.SampleBuffer;
import io.varve.testkit.TempTree;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockReader;
import io.varve.tsdb.BlockVerifier;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BlockCreationTest {
    private static final long SPAN = 3_600_000;

    private static List<BlockMeta> create(Path text, Path directory, int batchSamples, List<Long> progress) throws IOException {
        Files.createDirectories(directory);
        return new BlockCreation(text, text.toString(), Map.of(), directory, SPAN, batchSamples, new Random(1), progress::add).run();
    }

    private static String content(Path directory, List<BlockMeta> blocks) {
        StringBuilder sb = new StringBuilder();
        SampleBuffer b = new SampleBuffer(100);
        for (BlockMeta m : blocks) {
            Path block = directory.resolve(m.ulid().toString());
            BlockVerifier.verify(block);
            sb.append(m.minTime()).append(' ').append(m.maxTime()).append('\n');
            try (BlockReader r = BlockReader.open(block);
                    ChunkSeriesSet set = r.select(List.of(), Long.MIN_VALUE, Long.MAX_VALUE, false)) {
                for (ChunkSeries s = set.next(); s != null; s = set.next()) {
                    b.clear();
                    s.chunks().forEach(c -> ChunkDecoder.decode(c, b));
                    sb.append(s.labels()).append(' ').append(s.chunks().size());
                    for (int i = 0; i < b.size; i++) {
                        sb.append(' ').append(b.timestamps[i]).append('=').append(b.values[i]);
                    }
                    sb.append('\n');
                }
            }
        }
        return sb.toString();
    }

    /** 300 samples each of 20 series in the first hour, in a mixed order, and some in the next two. */
    private static Path text(TempTree tmp) throws IOException {
        List<String> lines = new ArrayList<>();
        for (int s = 0; s < 20; s++) {
            for (int i = 0; i < 300; i++) {
                lines.add("m{s=\"" + s + "\"} " + i * s + " " + (7200 + i * 10));
            }
            lines.add("m{s=\"" + s + "\"} 5 " + (7200 + 3600 + s));
            lines.add("m{s=\"" + s + "\"} 6 " + (7200 + 7200 + s));
        }
        java.util.Collections.shuffle(lines, new Random(3));
        lines.add("# EOF");
        return Files.write(tmp.resolve("in.txt"), lines);
    }

    @Test
    void blocksDoNotDependOnHowMuchFitsInMemory() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path text = text(tmp);
            Path whole = tmp.resolve("whole");
            String want = content(whole, create(text, whole, 1_000_000, new ArrayList<>()));
            assertThat(want.lines().count()).isEqualTo(3 + 3 * 20);
            for (int batch : new int[]{1, 7, 20, 299, 301, 1000, 5999, 6000, 6020}) {
                Path directory = tmp.resolve("b" + batch);
                assertThat(content(directory, create(text, directory, batch, new ArrayList<>()))).as("batches of " + batch).isEqualTo(want);
            }
        }
    }

    @Test
    void progressRisesToTheEnd() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path text = text(tmp);
            for (int batch : new int[]{900, 1_000_000}) {
                List<Long> progress = new ArrayList<>();
                create(text, tmp.resolve("b" + batch), batch, progress);
                assertThat(progress).isSorted();
                assertThat(progress.getLast()).isEqualTo(BlockCreation.PROGRESS_TOTAL);
            }
        }
    }

    @Test
    void aSecondValueIsNamedWithBothLinesAndNoBlockIsLeft() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path text = Files.write(tmp.resolve("in.txt"),
                    List.of("# TYPE m gauge", "m 1 9000", "m 2 9001", "m 2 9001", "m 1 1", "m 3 9001", "# EOF"));
            for (int batch : new int[]{2, 100}) {
                assertThatThrownBy(() -> create(text, tmp.resolve("out"), batch, new ArrayList<>()))
                        .isInstanceOf(InvalidRequestException.class)
                        .hasMessage(text + ": line 6: series {__name__=\"m\"} has another value at 9001000 ms in line 3");
                assertThat(tmp.resolve("out")).isEmptyDirectory();
            }
        }
    }

    /** As Prometheus 3 stores what it scrapes; without a type the labels stay as they are, so that what was dumped makes the same blocks. */
    @Test
    void boundsOfHistogramsAndQuantilesAreWrittenInOneForm() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path text = Files.write(tmp.resolve("in.txt"),
                    List.of("x{le=\"1\"} 1 5", "# TYPE h histogram", "h_bucket{le=\"1\"} 1 5", "h_bucket{le=\"1e0\"} 2 6",
                            "h_bucket{le=\"1.0\"} 3 7", "h_bucket{le=\"1e-7\"} 4 5", "h_bucket{le=\"+Inf\"} 5 5", "h_bucket{le=\"a\"} 6 5",
                            "h_bucket{quantile=\"1\"} 7 5", "# TYPE s summary", "s{quantile=\"0\"} 1 5", "s{quantile=\"0.50\"} 2 5",
                            "s{le=\"1\"} 3 5", "# TYPE g gauge", "g{le=\"1\",quantile=\"1\"} 1 5", "# EOF"));
            assertThat(content(tmp.resolve("out"), create(text, tmp.resolve("out"), 100, new ArrayList<>()))).isEqualTo("""
                    5000 7001
                    {__name__="g", le="1", quantile="1"} 1 5000=1.0
                    {__name__="h_bucket", le="+Inf"} 1 5000=5.0
                    {__name__="h_bucket", le="1.0"} 1 5000=1.0 6000=2.0 7000=3.0
                    {__name__="h_bucket", le="1e-07"} 1 5000=4.0
                    {__name__="h_bucket", le="a"} 1 5000=6.0
                    {__name__="h_bucket", quantile="1"} 1 5000=7.0
                    {__name__="s", le="1"} 1 5000=3.0
                    {__name__="s", quantile="0.0"} 1 5000=1.0
                    {__name__="s", quantile="0.5"} 1 5000=2.0
                    {__name__="x", le="1"} 1 5000=1.0
                    """);
        }
    }

    @Test
    void aSeriesWithoutAnyLabelIsRefused() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            for (String series : List.of("{\"\"}", "{}", "{a=\"\"}")) {
                Path text = Files.write(tmp.resolve("in.txt"), List.of(series + " 1 5", "# EOF"));
                assertThatThrownBy(() -> create(text, tmp.resolve("out"), 100, new ArrayList<>()))
                        .isInstanceOf(InvalidRequestException.class).hasMessage(text + ": line 1: series without a name or label");
            }
        }
    }
}
