package io.varve.tsdb.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.CorruptDataException;
import io.varve.model.Utf8Order;
import io.varve.testkit.Seeds;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** Symbol tables against the list of their texts. */
class SymbolsTest {
    private static final long BASE = 5;

    record Table(Symbols symbols, List<String> texts, List<Long> references) {
        static Table of(List<String> texts, int version) {
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            List<Long> references = new ArrayList<>();
            for (String t : texts) {
                references.add(version == 1 ? BASE + 8 + body.size() : (long) references.size());
                byte[] utf8 = t.getBytes(StandardCharsets.UTF_8);
                if (utf8.length > 0x7F) {
                    body.write(utf8.length | 0x80);
                    body.write(utf8.length >> 7);
                } else {
                    body.write(utf8.length);
                }
                body.writeBytes(utf8);
            }
            ByteBuffer section = ByteBuffer.allocate(12 + body.size()).putInt(4 + body.size()).putInt(texts.size()).put(body.toByteArray());
            CRC32C crc = new CRC32C();
            crc.update(section.array(), 4, section.position() - 4);
            section.putInt((int) crc.getValue());
            return new Table(Symbols.open(ByteRegion.of(section.array(), "index", BASE), version, 16), texts, references);
        }
    }

    @Test
    void textsHaveTheirPlacesAmongTheReferences() {
        Seeds.forEach(200, random -> {
            String[] letters = {"a", "b", "ü", "\uFFFD", "\uD83D\uDE00", "x".repeat(200)};
            TreeSet<String> texts = new TreeSet<>(Utf8Order::compare);
            for (int i = random.nextInt(random.nextBoolean() ? 5 : 150); i > 0; i--) {
                StringBuilder text = new StringBuilder();
                for (int n = random.nextInt(4); n > 0; n--) {
                    text.append(letters[random.nextInt(letters.length)]);
                }
                texts.add(text.toString());
            }
            List<String> all = List.copyOf(texts);
            for (int version = 1; version <= 2; version++) {
                Table t = Table.of(all, version);
                for (int i = 0; i < all.size(); i++) {
                    long reference = t.references.get(i);
                    assertThat(t.symbols.place(all.get(i))).isEqualTo(2 * reference + 1);
                    assertThat(t.symbols.find(all.get(i))).isEqualTo(reference);
                    assertThat(t.symbols.text(reference)).isEqualTo(all.get(i));
                    assertThat(t.symbols.utf8(reference)).isEqualTo(all.get(i).getBytes(StandardCharsets.UTF_8));
                    String after = all.get(i) + "\u0001";
                    assertThat(t.symbols.place(after)).isEqualTo(2 * (i + 1 < all.size() ? t.references.get(i + 1) : t.symbols.limit()));
                    assertThat(t.symbols.find(after)).isEqualTo(-1);
                }
                assertThat(t.symbols.place("\uDBFF\uDFFF")).isEqualTo(2 * t.symbols.limit());
                assertThatThrownBy(() -> t.symbols.utf8(t.symbols.limit())).isInstanceOf(CorruptDataException.class);
                if (!texts.contains("")) {
                    assertThat(t.symbols.place("")).isEqualTo(2 * (all.isEmpty() ? t.symbols.limit() : t.references.getFirst()));
                }
            }
        });
    }

    @Test
    @SuppressWarnings("ReferenceEquality")
    void textsThatAnotherTableHasAreTakenFromThere() {
        Seeds.forEach(300, random -> {
            TreeSet<String> mine = new TreeSet<>(Utf8Order::compare);
            TreeSet<String> theirs = new TreeSet<>(Utf8Order::compare);
            for (int i = random.nextInt(random.nextBoolean() ? 3 : 100); i > 0; i--) {
                String text = "ü".repeat(random.nextInt(3)) + "x".repeat(random.nextInt(20)) + random.nextInt(50)
                        + (random.nextInt(9) == 0 ? "\uD83D\uDE00" : "");
                int where = random.nextInt(5);
                if (where > 0) {
                    mine.add(text);
                }
                if (where != 1) {
                    theirs.add(text);
                }
            }
            String[] theirTexts = theirs.toArray(String[]::new);
            Symbols.Texts known = new Symbols.Texts(theirTexts, true);
            List<String> asked = new ArrayList<>();
            Symbols.Texts got = Table.of(List.copyOf(mine), 2).symbols.texts(Table.of(List.copyOf(theirs), 2).symbols, known, t -> {
                asked.add(t);
                return t;
            });
            String[] texts = got.byOrdinal();
            assertThat(got.inOrder()).isTrue();
            assertThat(texts).containsExactly(mine.toArray(String[]::new));
            TreeSet<String> unknown = new TreeSet<>(mine);
            unknown.removeAll(theirs);
            assertThat(asked).containsExactlyInAnyOrderElementsOf(unknown);
            for (String t : texts) {
                assertThat(theirs.contains(t)).isEqualTo(Arrays.stream(theirTexts).anyMatch(o -> o == t));
            }
            assertThat(Table.of(List.copyOf(mine), 2).symbols.texts(Symbols.NONE, Symbols.Texts.NONE, t -> t).byOrdinal()).isEqualTo(texts);
            if (mine.size() > 1) {
                List<String> wrong = new ArrayList<>(mine);
                Collections.swap(wrong, random.nextInt(wrong.size() / 2), wrong.size() / 2);
                assertThat(Table.of(wrong, 2).symbols.texts(Symbols.NONE, Symbols.Texts.NONE, t -> t).inOrder()).isFalse();
            }
        });
    }
}
