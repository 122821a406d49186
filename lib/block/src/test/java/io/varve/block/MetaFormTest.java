package io.varve.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class MetaFormTest {
    private static BlockMeta read(BlockMeta meta) {
        return new MetaForm().read(MetaForm.of(meta, meta.toJson()), "meta.json");
    }

    private static String text(SplittableRandom random) {
        StringBuilder s = new StringBuilder();
        for (int n = random.nextInt(5) == 0 ? random.nextInt(300) : random.nextInt(8); n > 0; n--) {
            s.append(random.nextInt(9) == 0 ? "ä" : Character.toString('a' + random.nextInt(3)));
        }
        return s.toString();
    }

    private static List<String> texts(SplittableRandom random) {
        List<String> out = new ArrayList<>();
        for (int n = random.nextInt(4); n > 0; n--) {
            out.add(text(random));
        }
        return out;
    }

    private static long number(SplittableRandom random) {
        return random.nextLong() >> random.nextInt(64);
    }

    private static BlockMeta meta(SplittableRandom random) {
        Ulid ulid = new Ulid(random.nextLong(), random.nextLong());
        List<Ulid> sources = new ArrayList<>();
        List<BlockMeta.Parent> parents = new ArrayList<>();
        List<BlockMeta.FileEntry> files = new ArrayList<>();
        for (int n = random.nextInt(3); n > 0; n--) {
            sources.add(random.nextBoolean() ? ulid : new Ulid(random.nextLong(), random.nextLong()));
            parents.add(new BlockMeta.Parent(new Ulid(random.nextLong(), 1), number(random), number(random)));
            files.add(new BlockMeta.FileEntry(text(random), number(random), text(random), text(random)));
        }
        BlockMeta meta = new BlockMeta(ulid, number(random), number(random),
                new BlockMeta.Stats(number(random), number(random), number(random), number(random), number(random), number(random)),
                new BlockMeta.Compaction(random.nextInt(9), sources, random.nextBoolean(), parents, random.nextBoolean(), texts(random)));
        return random.nextInt(9) == 0
                ? meta
                : meta.withThanos(BlockMeta.Thanos.of(Labels.of("b", text(random), "a" + text(random), "x"), number(random), text(random))
                        .withFiles(texts(random), files).withIndexStats(new BlockMeta.IndexStats(number(random), random.nextInt(2)))
                        .withUploadTime(
                                random.nextBoolean() ? null : Instant.ofEpochSecond(random.nextInt(), random.nextInt(1_000_000_000))));
    }

    @Test
    void aMetaIsTheSameAfterwards() {
        SplittableRandom random = new SplittableRandom(7);
        MetaForm forms = new MetaForm();
        for (int i = 0; i < 3000; i++) {
            BlockMeta meta = meta(random);
            assertThat(forms.read(MetaForm.of(meta, new byte[0]), "meta.json")).as("meta %d", i).isEqualTo(meta);
        }
    }

    @Test
    void whatOthersWroteIntoAMetaIsKept() {
        String json = """
                {"ulid":"01EM6Q6A1YPX4G9TEB20J22B2R","minTime":1,"maxTime":2,"version":1,"new":{"a":[1]},
                "stats":{"numSeries":3},"compaction":{"level":1,"sources":["01EM6Q6A1YPX4G9TEB20J22B2R"]},
                "thanos":{"labels":{"a":"b"},"downsample":{"resolution":0},"source":"sidecar","extensions":{"x":1}}}""";
        byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
        BlockMeta meta = BlockMeta.parse(bytes, "meta.json");
        assertThat(new MetaForm().read(MetaForm.of(meta, bytes), "meta.json")).isEqualTo(meta);
        assertThat(new String(read(meta).toJson(), StandardCharsets.UTF_8)).contains("\"new\"", "\"extensions\"");
    }

    @Test
    void equalTextsAndLabelsAreOneObject() {
        MetaForm forms = new MetaForm();
        Labels labels = Labels.of("cluster", "c1");
        List<BlockMeta> metas = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            Ulid ulid = new Ulid(1, i);
            BlockMeta meta = new BlockMeta(ulid, i, i + 1, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(ulid))
                    .withThanos(BlockMeta.Thanos.of(labels, 0, "sidecar").withFiles(List.of("000001"), List.of()));
            metas.add(forms.read(MetaForm.of(meta, new byte[0]), "meta.json"));
        }
        assertThat(metas.getFirst().externalLabels()).isSameAs(metas.getLast().externalLabels());
        assertThat(metas.getFirst().thanosSection().orElseThrow().segmentFiles().getFirst())
                .isSameAs(metas.getLast().thanosSection().orElseThrow().segmentFiles().getFirst());
    }

    @Test
    void damageIsRefusedOrReadsAsAMeta() {
        byte[] form = MetaForm.of(meta(new SplittableRandom(3)), new byte[0]);
        for (int i = 0; i < form.length; i++) {
            byte[] bytes = form.clone();
            bytes[i] ^= (byte) 0xFF;
            assertThat(catchThrowable(() -> new MetaForm().read(bytes, "x"))).as("byte %d", i)
                    .satisfiesAnyOf(e -> assertThat(e).isNull(), e -> assertThat(e).isInstanceOf(CorruptDataException.class));
            byte[] cut = java.util.Arrays.copyOf(form, i);
            assertThat(catchThrowable(() -> new MetaForm().read(cut, "x"))).as("cut at %d", i).isInstanceOf(CorruptDataException.class);
        }
    }
}
