package io.varve.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.testkit.Shared;
import io.varve.testkit.TempTree;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BlockCommandTest {
    private static final String TEXT = """
            # HELP requests_total Requests.
            # TYPE requests_total counter
            requests_total{code="200",path="/a\\\\b\\"c\\nd"} 1 1700000000
            requests_total{code="200",path="/a\\\\b\\"c\\nd"} 2.5 1700000060.5 # {trace="x"} 1
            requests_total{code="500"} +Inf 1700010000
            {"ünï code","a label"="v"} NaN 1700000000.001
            up 1 -3
            # EOF
            """;

    private record Answer(int code, String out, String err) {
    }

    private static Answer run(String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = ToolsCommand.run(() -> new String[]{"varve, version 1"}, new PrintWriter(out), new PrintWriter(err, true), args);
        return new Answer(code, out.toString(), err.toString());
    }

    private static Answer block(String... args) {
        return run(Stream.concat(Stream.of("block"), Arrays.stream(args)).toArray(String[]::new));
    }

    private static List<Path> blocks(Path dir) throws IOException {
        try (Stream<Path> s = Files.list(dir)) {
            return s.sorted().toList();
        }
    }

    @Test
    void createdBlocksAreSoundAndDumpWhatTheTextSaid() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path text = tmp.write("in.om", TEXT.getBytes(StandardCharsets.UTF_8));
            Path dir = tmp.resolve("data");
            Answer created = block("create", text.toString(), dir.toString());
            assertThat(created.err()).isEmpty();
            assertThat(created.code()).isZero();
            assertThat(created.out().lines()).hasSize(3);
            assertThat(blocks(dir)).hasSize(3);
            assertThat(block("verify", dir.toString()).code()).isZero();
            Answer dump = block("dump", dir.toString());
            assertThat(dump.out().lines().sorted()).containsExactlyInAnyOrder(
                    "requests_total{code=\"200\",path=\"/a\\\\b\\\"c\\nd\"} 1 1700000000",
                    "requests_total{code=\"200\",path=\"/a\\\\b\\\"c\\nd\"} 2.5 1700000060.500",
                    "requests_total{code=\"500\"} +Inf 1700010000",
                    "{\"ünï code\",\"a label\"=\"v\"} NaN 1700000000.001", "up 1 -3", "# EOF");
            // What was dumped makes the same blocks again.
            Path again = tmp.resolve("again");
            Path dumped = tmp.write("dump.om", dump.out().getBytes(StandardCharsets.UTF_8));
            assertThat(block("create", "--input", dumped.toString(), again.toString()).err()).isEmpty();
            assertThat(block("dump", again.toString()).out()).isEqualTo(dump.out());
            JsonNode up = Shared.parse(block("dump", "-o", "json", "--match", "up", dir.toString()).out());
            assertThat(up.toString()).isEqualTo("{\"labels\":{\"__name__\":\"up\"},\"samples\":[[-3000,\"1\"]],\"histograms\":[]}");
        }
    }

    @Test
    void whatBlocksDoNotHoldIsPassedOver() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path text = tmp.write("in.om", """
                    # HELP a_seconds What it is.
                    # HELP b\s
                    # TYPE a_seconds histogram
                    # UNIT a_seconds seconds
                    # TYPE "a name" gaugehistogram
                    # UNIT b\s
                    a_seconds_bucket{le="1"} 1 -1.0005 # {trace="x # y",b="}"} 0.5 1.25
                    a_seconds_created 5 1.0019 # {} 1
                    # EOF""".getBytes(StandardCharsets.UTF_8));
            Path dir = tmp.resolve("data");
            assertThat(block("create", text.toString(), dir.toString()).err()).isEmpty();
            assertThat(block("dump", dir.toString()).out().lines().sorted()).containsExactly("# EOF",
                    "a_seconds_bucket{le=\"1\"} 1 -1", "a_seconds_created 5 1.001");
        }
    }

    /** As promtool, but for times that are whole milliseconds in the text and not in binary. */
    @Test
    void partsOfMillisecondsAreCutOff() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            String[][] times = {{"1.001", "1.001"}, {"4.35", "4.350"}, {"2.003", "2.003"}, {"1.0005", "1"}, {"1.9999", "1.999"},
                    {"1700000000.999999", "1700000000.999"}, {"1700000000.123", "1700000000.123"}, {"1.7e9", "1700000000"},
                    {"-1.0005", "-1"}, {"9007199254740.9919", "9007199254740.991"}, {"9007199254741.9939", "9007199254741.993"}};
            for (String[] t : times) {
                Path text = tmp.write("in.om", ("a 1 " + t[0] + "\n# EOF\n").getBytes(StandardCharsets.UTF_8));
                Path dir = tmp.resolve("data" + t[0]);
                assertThat(block("create", text.toString(), dir.toString()).err()).isEmpty();
                assertThat(block("dump", dir.toString()).out()).isEqualTo("a 1 " + t[1] + "\n# EOF\n");
            }
        }
    }

    @Test
    void labelsOfExemplarsAreOnlyReadOver() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path text = tmp.write("in.om", "a 1 2 # {b=\"c\",b=\"d\",\"\"=\"e\"} 1 1e300\n# EOF\n".getBytes(StandardCharsets.UTF_8));
            assertThat(block("create", text.toString(), tmp.resolve("data").toString()).err()).isEmpty();
            assertThat(block("dump", tmp.resolve("data").toString()).out()).isEqualTo("a 1 2\n# EOF\n");
        }
    }

    /** As promtool: the command line's label wins, a name in any UTF-8, and what has no value is taken away. */
    @Test
    void labelsOfTheCommandLineAreEverySeries() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path text = tmp.write("in.om",
                    "# TYPE a histogram\na_bucket{b=\"c\",d=\"e\",le=\"2\"} 1 2\nf 3 4\n# EOF\n".getBytes(StandardCharsets.UTF_8));
            String dir = tmp.resolve("data").toString();
            assertThat(block("create", "--label=b=x", "--label=b=y=1", "--label", "d=", "--label=k.é:v:w", "--label=le=1", text.toString(),
                    dir)
                    .err()).isEmpty();
            assertThat(block("dump", dir).out()).isEqualTo("""
                    a_bucket{b="y=1","k.é"="v:w",le="1"} 1 2
                    f{b="y=1","k.é"="v:w",le="1"} 3 4
                    # EOF
                    """);
            // Series that are the same now are one.
            Path twice = tmp.write("twice.om", "a{b=\"1\"} 1 2\na{b=\"2\"} 2 2\n# EOF\n".getBytes(StandardCharsets.UTF_8));
            assertThat(block("create", "--label=b=3", twice.toString(), dir).err())
                    .contains("line 2: series {__name__=\"a\", b=\"3\"} has another value at 2000 ms in line 1").hasLineCount(1);
            assertThat(block("create", "--label=__name__=", text.toString(), dir).err()).contains("line 3: series without a name or label")
                    .hasLineCount(1);
            for (String wrong : List.of("a", "", "=b")) {
                assertThat(block("create", "--label=" + wrong, text.toString(), dir).err().strip())
                        .isEqualTo("--label: expected NAME=VALUE, got \"" + wrong + "\"");
            }
        }
    }

    @Test
    void severalSelectorsGiveEachSeriesOnce() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path text = tmp.write("in.om", TEXT.getBytes(StandardCharsets.UTF_8));
            String dir = tmp.resolve("data").toString();
            block("create", text.toString(), dir);
            assertThat(block("dump", "--match", "up", "--match", "{code=\"500\"}", "--match", "requests_total", dir).out().lines().sorted())
                    .containsExactly("# EOF", "requests_total{code=\"200\",path=\"/a\\\\b\\\"c\\nd\"} 1 1700000000",
                            "requests_total{code=\"200\",path=\"/a\\\\b\\\"c\\nd\"} 2.5 1700000060.500",
                            "requests_total{code=\"500\"} +Inf 1700010000", "up 1 -3");
            assertThat(block("dump", "--match", "up", "--match", "{", dir).err()).startsWith("--match: ").hasLineCount(1);
        }
    }

    @Test
    void whatCannotBeReadOrWrittenIsSaidInWords() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            String text = tmp.write("in.om", "a 1 2\n# EOF\n".getBytes(StandardCharsets.UTF_8)).toString();
            String out = tmp.resolve("data").toString();
            String[][] wrong = {{"in.om: is a file, a directory for the blocks was expected", text, text},
                    {"in.om/x: Not a directory", text, text + "/x"},
                    {"is a directory, a file with text was expected", tmp.root().toString(), out},
                    {"nowhere: there is no such file", tmp.resolve("nowhere").toString(), out},
                    {"expected a text and a directory, got also " + out, text, text, out},
                    {"--block-duration: not a valid duration string: \"x\"", "--block-duration=x", text, out}};
            for (String[] w : wrong) {
                Answer a = block(Stream.concat(Stream.of("create"), Arrays.stream(w).skip(1)).toArray(String[]::new));
                assertThat(a.code()).isEqualTo(1);
                assertThat(a.err()).contains(w[0]).hasLineCount(1);
            }
            assertThat(Files.exists(Path.of(out))).as("nothing is made for wrong arguments").isFalse();
        }
    }

    @Test
    void textComesThroughAPipeToo() throws Exception {
        try (TempTree tmp = TempTree.create()) {
            Path pipe = tmp.resolve("pipe");
            org.junit.jupiter.api.Assumptions.assumeTrue(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor() == 0);
            Thread writer = Thread.ofVirtual().start(() -> {
                try {
                    Files.writeString(pipe, "a 1 2\na 2 2\n# EOF\n");
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            Answer a = block("create", pipe.toString(), tmp.resolve("data").toString());
            writer.join();
            assertThat(a.err()).contains(pipe + ": line 2: ", "another value at 2000 ms in line 1").hasLineCount(1);
            assertThat(tmp.resolve("data")).isEmptyDirectory();
        }
    }

    @Test
    void timesFarFromTodayAreKeptToTheMillisecond() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            String lines = """
                    a 1 -9199999999999000.999
                    a 2 -9007199254740.993
                    a 3 9007199254740.993
                    a 4 1000000000000000
                    a 5 9199999999999000.999
                    # EOF
                    """;
            Path text = tmp.write("in.om", lines.getBytes(StandardCharsets.UTF_8));
            Path dir = tmp.resolve("data");
            assertThat(block("create", text.toString(), dir.toString()).err()).isEmpty();
            assertThat(block("verify", dir.toString()).code()).isZero();
            assertThat(block("dump", dir.toString()).out().lines().sorted()).containsExactlyElementsOf(lines.lines().sorted().toList());
        }
    }

    @Test
    void wrongTextIsRefusedWithItsLineAndLeavesNoBlock() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            for (String bad : List.of("a 1\n# EOF\n", "a 1 2\n", "a{b=\"c\" 1 2\n# EOF\n", "a{b=c} 1 2\n# EOF\n", "a x 2\n# EOF\n",
                    "a 1 y\n# EOF\n",
                    "# EOF\na 1 2\n", "a{b=\"1\",b=\"2\"} 1 2\n# EOF\n", "1a 1 2\n# EOF\n", "a 1 2\n\n# EOF\n", "a 1 2 3\n# EOF\n",
                    "{} 1 2\n# EOF\n",
                    "a{b=\"\n# EOF\n", "a 1 1e300\n# EOF\n", "a 1 1e16\n# EOF\n", "a 1 -Inf\n# EOF\n", "a 0x1p3 1\n# EOF\n",
                    "a 1_0 1\n# EOF\n", "a  1 2\n# EOF\n", "a 1 2 \n# EOF\n",
                    "a{b=\"c\"}1 2\n# EOF\n", "a 1 2 # x\n# EOF\n", "a 1 2 # {b=c} 1\n# EOF\n", "a 1 2 # {b=\"c\"}\n# EOF\n",
                    "a 1 2 # {b=\"c\"} x\n# EOF\n", "a 1 2 # {b=\"c\"} 1 x\n# EOF\n", "a 1 2 # {b=\"c\"} 1 2 3\n# EOF\n",
                    "a 1 2 # {\"b\"} 1\n# EOF\n",
                    "a 1 2 # {b=\"c\"} 1 Inf\n# EOF\n", "a{\"\"=\"c\"} 1 2\n# EOF\n",
                    "a 1 # {b=\"c\"} 1\n# EOF\n", "# TYPE a untyped\n# EOF\n", "# TYPE a\n# EOF\n", "# HELP a\n# EOF\n",
                    "# UNIT a b\n# EOF\n",
                    "# UNIT \"a\n# EOF\n", "# TYPE a-b gauge\n# EOF\n", "# x\n# EOF\n")) {
                Path text = tmp.write("bad.om", bad.getBytes(StandardCharsets.UTF_8));
                Answer a = block("create", text.toString(), tmp.resolve("data").toString());
                assertThat(a.code()).as(bad).isEqualTo(1);
                assertThat(a.err()).as(bad).contains("bad.om: line ").hasLineCount(1);
                assertThat(blocks(tmp.resolve("data"))).isEmpty();
            }
        }
    }

    @Test
    void damageIsOneLineWithFileAndOffset() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path text = tmp.write("in.om", "a 1 2\n# EOF\n".getBytes(StandardCharsets.UTF_8));
            Path dir = tmp.resolve("data");
            block("create", text.toString(), dir.toString());
            Path segment = blocks(dir).getFirst().resolve("chunks/000001");
            byte[] bytes = Files.readAllBytes(segment);
            bytes[12] ^= 1;
            Files.write(segment, bytes);
            Answer a = block("verify", dir.toString());
            assertThat(a.code()).isEqualTo(1);
            assertThat(a.err()).contains("chunks/000001: offset 8: chunk: checksum").hasLineCount(1);
            JsonNode json = Shared.parse(block("verify", "-o", "json", dir.toString()).out());
            assertThat(json.get("ok").booleanValue()).isFalse();
            assertThat(json.get("offset").longValue()).isEqualTo(8);
            assertThat(block("dump", dir.toString()).code()).isEqualTo(1);
            assertThat(block("inspect", dir.toString()).out()).contains("Series           1");
            assertThat(block("inspect", tmp.resolve("nowhere").toString()).err()).contains("no such directory").hasLineCount(1);
        }
    }

    @Test
    void aBlockThatCannotBeReadDoesNotHideTheOthers() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path text = tmp.write("in.om", "a 1 1\na 1 9000\na 1 18000\n# EOF\n".getBytes(StandardCharsets.UTF_8));
            Path dir = tmp.resolve("data");
            block("create", text.toString(), dir.toString());
            List<Path> blocks = blocks(dir);
            Files.write(blocks.get(0).resolve("index"), new byte[100]);
            Files.write(blocks.get(1).resolve("meta.json"), new byte[0]);
            Answer a = block("inspect", dir.toString());
            assertThat(a.code()).isEqualTo(1);
            assertThat(a.err()).contains(blocks.get(0) + "/index: offset 0: ", blocks.get(1) + "/meta.json: ").hasLineCount(2);
            assertThat(a.out()).startsWith("Block            " + blocks.get(2).getFileName()).contains("Series           1,");
        }
    }

    @Test
    void aBlockWithoutSeriesHasNoTables() {
        try (TempTree tmp = TempTree.create()) {
            Ulid id = new Ulid(7, 7);
            try (BlockWriter writer = BlockWriter.create(tmp.root(), id)) {
                writer.commit(new BlockMeta(id, 0, 7_200_000, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(id)));
            }
            assertThat(block("inspect", tmp.root().toString()).out()).contains("Series           0,")
                    .endsWith("0 symbols" + System.lineSeparator());
        }
    }

    @Test
    void theBarSaysHowFarItIs() {
        StringWriter out = new StringWriter();
        try (ProgressBar bar = new ProgressBar(new PrintWriter(out), true, "working", 10)) {
            assertThat(bar.line(5, 2_000_000_000L)).contains("working [###############...............]").contains("50 %")
                    .contains("2 s left");
            bar.done();
            assertThat(out.toString()).isEmpty();
            bar.at(3);
            bar.done();
        }
        assertThat(out.toString()).contains("100 %").endsWith(System.lineSeparator());
    }
}
