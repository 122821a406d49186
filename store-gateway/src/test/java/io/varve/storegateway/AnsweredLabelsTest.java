package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.Labels;
import io.varve.model.Utf8Order;
import io.varve.store.EncodedLabels;
import io.varve.testkit.Seeds;
import io.varve.tsdb.index.ByteRegion;
import io.varve.tsdb.index.SeriesEntry;
import io.varve.tsdb.index.Symbols;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.random.RandomGenerator;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** Labels as bytes of symbols against the same as texts. */
class AnsweredLabelsTest {
    private static final String[] NAMES = {"__name__", "a", "aa", "b", "cluster", "job", "replica", "z", "ü", "\uFFFD", "\uD83D\uDE00"};

    /** Some of the names, so that external labels lie at and between symbols, and values beside them. */
    private static List<String> texts(RandomGenerator random) {
        TreeSet<String> texts = new TreeSet<>(Utf8Order::compare);
        texts.add("");
        texts.add("m");
        for (String name : NAMES) {
            if (random.nextBoolean()) {
                texts.add(name);
            }
        }
        for (int i = random.nextInt(100); i > 0; i--) {
            texts.add("v" + random.nextInt(200));
        }
        return List.copyOf(texts);
    }

    private static Symbols table(List<String> texts, int version, List<Integer> references) {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        for (String t : texts) {
            references.add(version == 1 ? 5 + 8 + body.size() : references.size());
            byte[] utf8 = t.getBytes(StandardCharsets.UTF_8);
            body.write(utf8.length);
            body.writeBytes(utf8);
        }
        ByteBuffer section = ByteBuffer.allocate(12 + body.size()).putInt(4 + body.size()).putInt(texts.size()).put(body.toByteArray());
        CRC32C crc = new CRC32C();
        crc.update(section.array(), 4, section.position() - 4);
        return Symbols.open(ByteRegion.of(section.putInt((int) crc.getValue()).array(), "index", 5), version, 16);
    }

    private static Labels external(RandomGenerator random) {
        Labels.Builder b = new Labels.Builder();
        for (int i = random.nextInt(4); i > 0; i--) {
            b.set(NAMES[random.nextInt(NAMES.length)], random.nextBoolean() ? "v" + random.nextInt(200) : "m");
        }
        return b.build();
    }

    private static SeriesEntry entry(RandomGenerator random, List<Integer> references, SeriesEntry before) {
        SeriesEntry e = new SeriesEntry();
        boolean anyOrder = random.nextInt(4) == 0;
        TreeSet<Integer> names = new TreeSet<>();
        e.labelCount = random.nextInt(5);
        for (int i = 0; i < e.labelCount; i++) {
            int name = references.get(random.nextInt(references.size()));
            names.add(name);
            e.names[i] = name;
            // Often what the series before had, so that much is in common.
            e.values[i] = random.nextInt(3) == 0 && i < before.labelCount
                    ? before.values[i]
                    : references.get(random.nextInt(references.size()));
        }
        if (!anyOrder) {
            e.labelCount = 0;
            for (int name : names) {
                e.names[e.labelCount++] = name;
            }
        }
        return random.nextInt(3) == 0 ? before : e;
    }

    @Test
    void bytesAndOrderAreThoseOfTheTexts() {
        Seeds.forEach(400, random -> {
            List<String> texts = texts(random);
            List<Integer> references = new ArrayList<>();
            Symbols symbols = table(texts, 1 + random.nextInt(2), references);
            List<String> drop = random.nextInt(3) == 0 ? List.of(NAMES[random.nextInt(NAMES.length)], "nope") : List.of();
            Labels external = external(random).without(drop);
            AnsweredLabels answered = new AnsweredLabels(symbols, external, drop, random.nextInt(1000));
            LabelPool pool = new LabelPool();
            SeriesEntry entry = new SeriesEntry();
            Labels before = null;
            int[] keyBefore = {};
            for (int i = 0; i < 40; i++) {
                entry = entry(random, references, entry);
                Labels labels = entry.labels(symbols).without(drop).overriddenBy(external);
                answered.load(entry);
                int[] key = answered.key();
                if (before != null) {
                    int order = Integer.signum(before.compareTo(labels));
                    assertThat(answered.isInOrder()).as("%s %s", before, labels).isEqualTo(order <= 0);
                    assertThat(Integer.signum(AnsweredLabels.compare(keyBefore, key))).isEqualTo(order);
                }
                // Not each is encoded: what is kept of the one before must fit.
                if (random.nextInt(3) != 0) {
                    assertThat(answered.encoded()).isEqualTo(EncodedLabels.of(labels));
                    assertThat(answered.encoded(pool)).isEqualTo(EncodedLabels.of(labels)).isSameAs(answered.encoded(pool));
                }
                before = labels;
                keyBefore = key;
            }
        });
    }
}
