package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.CorruptDataException;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.testkit.Shared;
import io.varve.testkit.TempTree;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
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
