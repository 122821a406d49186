package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.CorruptDataException;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.testkit.Seeds;
import io.varve.testkit.Shared;
import io.varve.testkit.TempTree;
import io.varve.tsdb.index.Toc;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BlockVerifierTest {
    @Test
    void goldenBlocksAreSound() {
        List<GoldenBlocks.Case> cases = GoldenBlocks.all();
        assumeTrue(!cases.isEmpty());
        for (GoldenBlocks.Case c : cases) {
            BlockVerifier.Report r = BlockVerifier.verify(c.directory());
            assertThat(r.stats().series()).as(c.name()).isEqualTo(BlockMeta.read(c.directory()).stats().series());
        }
    }

    /** Every sound block that a real Thanos wrote: raw, compacted, deduplicated, downsampled. */
    @Test
    void blocksOfThanosAreSound() throws IOException {
        Path buckets = Shared.golden("thanos/buckets").orElse(null);
        assumeTrue(buckets != null);
        List<Path> blocks;
        try (Stream<Path> walk = Files.walk(buckets)) {
            blocks = walk.filter(p -> p.getFileName().toString().equals("index") && !p.toString().contains("/odd/")).map(Path::getParent)
                    .filter(p -> Files.exists(p.resolve("chunks/000001")) && Files.exists(p.resolve("meta.json"))).toList();
        }
        int sizes = 0;
        for (Path b : blocks) {
            BlockVerifier.Report r = BlockVerifier.verify(b);
            BlockMeta.IndexStats stated = BlockMeta.read(b).thanosSection().orElseThrow().indexStats();
            if (!stated.equals(BlockMeta.IndexStats.UNKNOWN)) {
                assertThat(r.indexStats().seriesMaxSize()).isGreaterThanOrEqualTo(stated.seriesMaxSize());
                assertThat(r.indexStats().chunkMaxSize()).isGreaterThanOrEqualTo(stated.chunkMaxSize());
                try (BlockReader block = BlockReader.open(b)) {
                    IndexHealth health = IndexHealth.of(block);
                    assertThat(health.sizes().seriesMaxSize()).as(b.toString()).isEqualTo(stated.seriesMaxSize());
                    // Thanos does not look at the last two chunks of a series and so states too little.
                    assertThat(health.sizes().chunkMaxSize()).as(b.toString()).isGreaterThanOrEqualTo(stated.chunkMaxSize());
                    assertThat(health.outsideChunks() + health.outOfOrderChunks() + health.duplicatedChunks()).isZero();
                }
                sizes++;
            }
        }
        System.out.println("blocks of Thanos found sound: " + blocks.size() + ", greatest sizes compared: " + sizes);
    }

    @Test
    void damageIsNamed() throws IOException {
        Path patches = Shared.golden("blocks/corrupt/patches.jsonl.gz").orElse(null);
        assumeTrue(patches != null);
        int refused = 0;
        int more = 0;
        List<String> wrong = new ArrayList<>();
        Map<String, Integer> accepted = new TreeMap<>();
        try (TempTree tmp = TempTree.create(); Stream<JsonNode> lines = Shared.jsonLines(patches)) {
            for (JsonNode p : (Iterable<JsonNode>) lines::iterator) {
                Path source = GoldenBlocks.get(p.get("block").textValue() + "/block").directory();
                Path copy = tmp.resolve("b/" + source.getFileName());
                TempTree.copy(source, copy);
                String name = p.get("name").textValue();
                Path file = copy.resolve(p.get("file").textValue());
                patch(file, p);
                boolean must = !p.get("error").isNull();
                try {
                    BlockVerifier.verify(copy);
                    if (must) {
                        wrong.add(name + " accepted: " + p.get("error"));
                    } else {
                        accepted.merge(name.replaceAll("^[^/]*/|-[0-9]+$", ""), 1, Integer::sum);
                    }
                } catch (VarveException e) {
                    boolean named = e.getMessage().contains(file.getFileName().toString())
                            || name.contains("valid-crc") && e instanceof CorruptDataException;
                    if (!(e instanceof CorruptDataException || e instanceof UnavailableException) || !named) {
                        wrong.add(name + ": " + e);
                    } else if (must) {
                        refused++;
                    } else {
                        more++;
                    }
                } catch (RuntimeException | Error e) {
                    wrong.add(name + ": " + e);
                }
                TempTree.delete(copy);
            }
        }
        System.out.println(
                "damaged blocks refused: " + refused + " as Prometheus does, " + more + " more; accepted as Prometheus does: " + accepted);
        assertThat(wrong).isEmpty();
    }

    /** A part of a file in which every byte means something, or is covered by a checksum. */
    private record Section(String name, String file, long from, long to) {
    }

    private static List<Section> sections(Path block) throws IOException {
        List<Section> out = new ArrayList<>();
        try (BlockReader b = BlockReader.open(block)) {
            Toc toc = b.index().toc();
            long size = b.index().size();
            out.add(new Section("header", "index", 0, 5));
            out.add(new Section("symbols", "index", toc.symbols(), toc.series()));
            out.add(new Section("series", "index", toc.series(), toc.seriesEnd()));
            out.add(new Section("postings", "index", toc.seriesEnd(), toc.postingsTable()));
            out.add(new Section("offset table", "index", toc.postingsTable(), size - Toc.SIZE));
            out.add(new Section("table of contents", "index", size - Toc.SIZE, size));
        }
        out.add(new Section("segment header", "chunks/000001", 0, 8));
        out.add(new Section("chunks", "chunks/000001", 8, Files.size(block.resolve("chunks/000001"))));
        out.add(new Section("tombstones", "tombstones", 0, Files.size(block.resolve("tombstones"))));
        out.add(new Section("meta", "meta.json", 0, Files.size(block.resolve("meta.json"))));
        return out;
    }

    /** Bytes changed, zeroed, copied and cut in each section in turn: the fault is named with its file, or nothing of the content is changed. */
    @Test
    void damageInEverySectionIsNamedOrHarmless() {
        assumeTrue(Shared.golden("blocks").isPresent());
        Map<String, Integer> noticed = new TreeMap<>();
        for (String name : List.of("indexv1/block", "histograms/block", "tombstones/block", "startts/block")) {
            Path source = GoldenBlocks.get(name).directory();
            try (TempTree tmp = TempTree.create()) {
                Path copy = tmp.resolve("b/" + source.getFileName());
                TempTree.copy(source, copy);
                long good;
                try (BlockReader b = BlockReader.open(copy)) {
                    good = BlockContent.digest(b);
                }
                Seeds.forEach(5, random -> {
                    for (Section section : sections(source)) {
                        Path file = copy.resolve(section.file);
                        byte[] content = Files.readAllBytes(file);
                        byte[] bad = damaged(content, section, random);
                        Files.write(file, bad);
                        String what = name + " " + section.name;
                        try {
                            BlockVerifier.verify(copy);
                            if (!section.name.equals("meta")) {
                                try (BlockReader b = BlockReader.open(copy)) {
                                    assertThat(BlockContent.digest(b)).as(what + " accepted").isEqualTo(good);
                                }
                            }
                        } catch (CorruptDataException e) {
                            assertThat(e.file()).as(what + ": " + e.getMessage()).isNotEmpty();
                            assertThat(e.rule()).as(what).isNotBlank();
                            if (!section.file.equals("meta.json")) {
                                assertThat(e.offset()).as(what + ": " + e.getMessage()).isNotNegative();
                            }
                            noticed.merge(section.name, 1, Integer::sum);
                        }
                        Files.write(file, content);
                    }
                });
            }
        }
        System.out.println("damage noticed by section, of 20 each: " + noticed);
        assertThat(noticed.keySet()).contains("symbols", "series", "postings", "offset table", "table of contents", "chunks", "tombstones");
    }

    private static byte[] damaged(byte[] content, Section section, RandomGenerator random) {
        byte[] bad = content.clone();
        int from = (int) section.from;
        int length = (int) (section.to - section.from);
        int at = from + random.nextInt(length);
        int n = Math.min(1 + random.nextInt(40), from + length - at);
        switch (random.nextInt(5)) {
            case 0 -> bad[at] ^= (byte) (1 + random.nextInt(255));
            case 1 -> Arrays.fill(bad, at, at + n, (byte) 0);
            case 2 -> System.arraycopy(content, from + random.nextInt(length - n + 1), bad, at, n);
            case 3 -> {
                // A hole: all that follows is moved.
                bad = Arrays.copyOf(bad, bad.length - n);
                System.arraycopy(content, at + n, bad, at, bad.length - at);
            }
            default -> bad = Arrays.copyOf(bad, at);
        }
        return bad;
    }

    static void patch(Path file, JsonNode p) throws IOException {
        switch (p.get("action").textValue()) {
            case "remove" -> Files.delete(file);
            case "truncate" -> {
                try (RandomAccessFile f = new RandomAccessFile(file.toFile(), "rw")) {
                    f.setLength(p.get("length").longValue());
                }
            }
            default -> {
                try (RandomAccessFile f = new RandomAccessFile(file.toFile(), "rw")) {
                    f.seek(p.get("offset").longValue());
                    f.write(Shared.hex(p.get("bytes").textValue()));
                }
            }
        }
    }
}
