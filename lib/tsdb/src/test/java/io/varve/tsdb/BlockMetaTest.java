package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.varve.model.CorruptDataException;
import io.varve.testkit.Shared;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BlockMetaTest {
    private static final String MINIMAL = """
            {"ulid":"01HF8B9V807K1AN4E40XT9XYP5","minTime":-5,"maxTime":7,"compaction":{"level":1},"version":1%s}""";

    private static BlockMeta parse(String json) {
        return BlockMeta.parse(json.getBytes(StandardCharsets.UTF_8), "meta.json");
    }

    /** Fails the test where a peer's file is rewritten to other bytes. */
    @Test
    void metasOfPeersAreRewrittenToTheSameBytes() throws IOException {
        Path golden = Shared.golden("").orElse(null);
        assumeTrue(golden != null);
        List<Path> metas;
        try (Stream<Path> walk = Files.walk(golden)) {
            metas = walk.filter(p -> p.getFileName().toString().equals("meta.json")).toList();
        }
        int same = 0;
        List<String> different = new ArrayList<>();
        for (Path p : metas) {
            byte[] bytes = Files.readAllBytes(p);
            String path = p.toString();
            if (path.contains("meta-unparsable") || path.contains("meta-version2") || path.contains("thanos-version2")
                    || path.contains("not-a-block")
                    || path.contains("no-thanos-section") || path.contains("indexv1")) {
                continue;
            }
            if (new String(BlockMeta.parse(bytes, path).toJson(), StandardCharsets.UTF_8)
                    .equals(new String(bytes, StandardCharsets.UTF_8))) {
                same++;
            } else {
                different.add(path);
            }
        }
        System.out.println("meta.json rewritten to the same bytes: " + same + " of " + (same + different.size()));
        assertThat(different).isEmpty();
    }

    @Test
    void unknownFieldsAreKeptWhereTheyWere() {
        String json = MINIMAL.formatted(
                """
                        ,"new":{"a":[1,2.50,"<x>"]},"thanos":{"labels":{"b":"2","a":"1"},"downsample":{"resolution":300000,"more":true},"source":"x",\
                        "index_stats":{"series_max_size":5,"other":null},"later":[]}""");
        BlockMeta m = parse(json);
        assertThat(m.externalLabels().toString()).isEqualTo("{a=\"1\", b=\"2\"}");
        String out = new String(m.withRange(1, 2).toJson(), StandardCharsets.UTF_8);
        assertThat(out).contains("\"more\": true").contains("\"later\": []").contains("\"other\": null").contains("\\u003cx\\u003e");
        assertThat(parse(out)).isEqualTo(m.withRange(1, 2));
    }

    @Test
    void rangeExcludesItsEnd() {
        BlockMeta m = parse(MINIMAL.formatted(""));
        assertThat(m.range().max()).isEqualTo(6);
        assertThat(m.overlaps(6, 6)).isTrue();
        assertThat(m.overlaps(7, 9)).isFalse();
        assertThat(m.overlaps(-9, -5)).isTrue();
        assertThat(m.overlaps(-9, -6)).isFalse();
    }

    @Test
    void wrongFilesAreRefusedByName() {
        for (String bad : List.of("", "[", "{}", "null", "7", "{\"version\":2}",
                MINIMAL.formatted("").replace("\"minTime\":-5", "\"minTime\":1.5"),
                MINIMAL.formatted("").replace("01HF", "!1HF"), MINIMAL.formatted(",\"thanos\":{\"version\":2}"),
                MINIMAL.formatted("") + "x",
                MINIMAL.formatted(",\"stats\":[]"), MINIMAL.formatted(",\"thanos\":{\"upload_time\":\"now\"}"),
                MINIMAL.formatted("").replace("-5", "99999999999999999999"), "[".repeat(100_000))) {
            assertThatThrownBy(() -> parse(bad)).as(bad.length() > 300 ? "deep" : bad).isInstanceOf(CorruptDataException.class)
                    .hasMessageStartingWith("meta.json");
        }
    }

    @Test
    void ulidsReadBackAndSortAsTheirTexts() {
        java.util.SplittableRandom random = new java.util.SplittableRandom(7);
        Ulid previous = Ulid.ZERO;
        for (int i = 0; i < 10_000; i++) {
            Ulid u = Ulid.of(random.nextLong(1L << 48), random);
            assertThat(Ulid.of(u.toString())).isEqualTo(u);
            assertThat(Integer.signum(u.compareTo(previous))).isEqualTo(Integer.signum(u.toString().compareTo(previous.toString())));
            previous = u;
        }
        assertThat(Ulid.of("01HF8B9V807K1AN4E40XT9XYP5").timeMillis()).isEqualTo(1700013600000L);
        assertThat(Ulid.parse("81HF8B9V807K1AN4E40XT9XYP5")).isEmpty();
        assertThat(Ulid.parse("01HF8B9V807K1AN4E40XT9XYPU")).isEmpty();
        assertThat(Ulid.parse("01HF")).isEmpty();
    }
}
