package io.varve.block;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.testkit.TempTree;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;

class MetaCopiesTest {
    private static Ulid id(int i) {
        return Ulid.of(1_700_000_000_000L + i, new SplittableRandom(i));
    }

    private static Map<Ulid, String> loaded(MetaCopies copies) {
        Map<Ulid, String> out = new ConcurrentHashMap<>();
        Set<Ulid> told = new HashSet<>();
        copies.load(told::addAll, (id, modified, size, form) -> out.put(id, modified + " " + new String(form, StandardCharsets.UTF_8)));
        assertThat(told).isEqualTo(out.keySet());
        return out;
    }

    private static Set<Ulid> add(MetaCopies copies, int from, int to, String text) {
        Set<Ulid> all = new HashSet<>();
        for (int i = from; i < to; i++) {
            copies.add(id(i), i, 1000 + i, (text + i).getBytes(StandardCharsets.UTF_8));
            all.add(id(i));
        }
        return all;
    }

    @Test
    void theLastCopyOfABlockCounts() {
        try (TempTree tmp = TempTree.create()) {
            Path file = tmp.resolve("dir/metas");
            MetaCopies copies = new MetaCopies(file);
            assertThat(loaded(copies)).isEmpty();
            Set<Ulid> all = add(copies, 0, 500, "a");
            copies.finish(all);
            MetaCopies next = new MetaCopies(file);
            assertThat(loaded(next)).hasSize(500).containsEntry(id(7), "7 a7");
            add(next, 7, 8, "b");
            next.finish(all);
            assertThat(loaded(new MetaCopies(file))).hasSize(500).containsEntry(id(7), "7 b7").containsEntry(id(8), "8 a8");
        }
    }

    @Test
    void whatIsDamagedIsNotUsedAndWrittenOver() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path file = tmp.resolve("metas");
            MetaCopies copies = new MetaCopies(file);
            copies.finish(add(copies, 0, 10, "a"));
            byte[] whole = Files.readAllBytes(file);
            for (int i = 0; i < whole.length; i++) {
                byte[] bytes = whole.clone();
                bytes[i] ^= 1;
                Files.write(file, bytes);
                assertThat(loaded(new MetaCopies(file))).as("byte %d", i).hasSizeLessThan(10)
                        .allSatisfy((id, text) -> assertThat(text).endsWith("a" + text.charAt(0)));
                Files.write(file, java.util.Arrays.copyOf(whole, i));
                MetaCopies cut = new MetaCopies(file);
                assertThat(loaded(cut)).as("cut at %d", i).hasSizeLessThan(10);
                cut.finish(add(cut, 20, 22, "n"));
                assertThat(loaded(new MetaCopies(file))).as("after a cut at %d", i).containsKeys(id(20), id(21));
            }
        }
    }

    @Test
    void theFileDoesNotGrowWithBlocksThatAreGone() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path file = tmp.resolve("metas");
            MetaCopies copies = new MetaCopies(file);
            for (int round = 0; round < 20; round++) {
                copies.finish(add(copies, round * 100, round * 100 + 100, "x".repeat(2000)));
            }
            assertThat(Files.size(file)).isLessThan(2_000_000);
            assertThat(loaded(new MetaCopies(file))).containsKeys(id(1900), id(1999)).doesNotContainKey(id(0));
        }
    }

    @Test
    void aDirectoryThatCannotBeWrittenCostsNothingElse() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path file = Files.writeString(tmp.resolve("plain"), "x").resolve("metas");
            MetaCopies copies = new MetaCopies(file);
            assertThat(loaded(copies)).isEmpty();
            copies.finish(add(copies, 0, 3, "a"));
        }
    }
}
