package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.varve.chunk.ChunkSeriesSet;
import io.varve.testkit.Shared;
import io.varve.testkit.TempTree;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Prometheus' own tool reads what varve wrote. */
class PromtoolTest {
    private static boolean absent() {
        boolean there = Stream.of(System.getenv().getOrDefault("PATH", "").split(":"))
                .anyMatch(d -> Files.isExecutable(Path.of(d, "promtool")));
        if (!there) {
            System.out.println("skipped: promtool is not installed (Debian: apt-get install prometheus)");
        }
        return !there;
    }

    private static String promtool(Path work, String... args) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("promtool", "tsdb"));
        command.addAll(List.of(args));
        Path out = work.resolve("out.txt");
        Process p = new ProcessBuilder(command).directory(work.toFile()).redirectErrorStream(true).redirectOutput(out.toFile()).start();
        int code = p.waitFor();
        String text = Files.readString(out, StandardCharsets.UTF_8);
        assertThat(code).as(text).isZero();
        return text.lines().filter(l -> !l.startsWith("level=")).collect(java.util.stream.Collectors.joining("\n"));
    }

    /** A directory with copies of these blocks as promtool wants them. */
    private static Path database(TempTree tmp, String name, Path... blocks) throws IOException {
        Path db = tmp.resolve(name);
        Files.createDirectories(db.resolve("wal"));
        for (Path b : blocks) {
            TempTree.copy(b, db.resolve(b.getFileName().toString()));
        }
        return db;
    }

    private static void compare(Path ours, Path theirs, Path work) throws IOException, InterruptedException {
        assertThat(promtool(work, "dump", ours.toString())).hasSizeGreaterThan(1000).isEqualTo(promtool(work, "dump", theirs.toString()));
        assertThat(promtool(work, "list", ours.toString())).isEqualTo(promtool(work, "list", theirs.toString()));
        assertThat(figures(promtool(work, "analyze", ours.toString()))).isEqualTo(figures(promtool(work, "analyze", theirs.toString())));
    }

    /** The numbers alone: among equal ones promtool prints in any order. */
    private static String figures(String analysis) {
        return analysis.replaceAll("Compaction analysis:[\\s\\S]*", "").replaceAll("(?m)^(\\d+) .*$", "$1");
    }

    @Test
    void blocksThatWereWrittenOrMergedAreListedAnalysedAndDumpedAlike() throws IOException, InterruptedException {
        assumeTrue(!absent() && Shared.golden("blocks").isPresent());
        try (TempTree tmp = TempTree.create()) {
            for (String name : List.of("floats/block", "labels/block")) {
                Path source = GoldenBlocks.get(name).directory();
                Path out = tmp.resolve("w-" + name.replace('/', '-'));
                try (BlockReader block = BlockReader.open(source);
                        ChunkSeriesSet all = block.stored();
                        BlockWriter w = BlockWriter.create(out, block.meta().ulid(),
                                block.segmentCount() > 1 ? 64 << 10 : BlockWriter.SEGMENT_BYTES)) {
                    block.index().symbols().forEach(w::addSymbol);
                    w.addAll(all);
                    w.commit(block.meta());
                }
                Path ours = database(tmp, "ours-" + name.replace('/', '-'), out.resolve(source.getFileName().toString()));
                Path theirs = database(tmp, "theirs-" + name.replace('/', '-'), source);
                compare(ours, theirs, tmp.root());
            }
        }
    }

    /** Blocks merged here beside the same blocks compacted by Prometheus: copied chunks, overlaps, deletions. */
    @Test
    void mergedBlocksAreListedAnalysedAndDumpedAsThoseThatPrometheusCompacted() throws IOException, InterruptedException {
        assumeTrue(!absent() && Shared.golden("blocks").isPresent());
        try (TempTree tmp = TempTree.create()) {
            for (String name : List.of("compact3", "overlap")) {
                List<BlockReader> inputs = new ArrayList<>();
                try {
                    for (String part : List.of("a", "b", "c")) {
                        inputs.add(BlockReader.open(GoldenBlocks.get(name + "/block-" + part).directory()));
                    }
                    Path theirs = GoldenBlocks.get(name + "/compacted").directory();
                    Ulid ulid = Ulid.of(theirs.getFileName().toString());
                    Path out = tmp.resolve("m-" + name);
                    BlockMerger.merge(inputs, out, ulid, BlockMerger.Options.DEFAULT.withThreads(3)).orElseThrow();
                    compare(database(tmp, "ours-" + name, out.resolve(ulid.toString())), database(tmp, "theirs-" + name, theirs),
                            tmp.root());
                } finally {
                    inputs.forEach(BlockReader::close);
                }
            }
            Path cleaned = GoldenBlocks.get("tombstones/cleaned").directory();
            Ulid ulid = Ulid.of(cleaned.getFileName().toString());
            try (BlockReader block = BlockReader.open(GoldenBlocks.get("tombstones/block").directory())) {
                BlockMerger.clean(block, tmp.resolve("c"), ulid, BlockMerger.Options.DEFAULT).orElseThrow();
            }
            compare(database(tmp, "ours-c", tmp.resolve("c").resolve(ulid.toString())), database(tmp, "theirs-c", cleaned), tmp.root());
        }
    }

    @Test
    void randomBlocksDumpAsTheyWereWritten() throws IOException, InterruptedException {
        assumeTrue(!absent());
        try (TempTree tmp = TempTree.create()) {
            var content = RandomBlocks.content(io.varve.testkit.Seeds.random(11), 60, 1_700_000_000_000L, 1_700_007_000_000L);
            Path db = tmp.resolve("db");
            Files.createDirectories(db.resolve("wal"));
            Path block = RandomBlocks.write(content, db, Ulid.of("01HF8B9V807K1AN4E40XT9XYP5"), 30, BlockWriter.SEGMENT_BYTES);
            BlockVerifier.verify(block);
            long lines = promtool(tmp.root(), "dump", db.toString()).lines().filter(l -> l.startsWith("{")).count();
            assertThat(lines).isEqualTo(content.values().stream().mapToLong(java.util.Map::size).sum());
            assertThat(promtool(tmp.root(), "list", db.toString())).contains("01HF8B9V807K1AN4E40XT9XYP5");
        }
    }
}
