package io.varve.tsdb.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.varve.model.CorruptDataException;
import io.varve.model.UnavailableException;
import io.varve.testkit.Shared;
import io.varve.testkit.TempTree;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class IndexHeaderTest {
    private static final class Bytes implements RangeReader {
        private final byte[] bytes;
        int reads;

        Bytes(byte[] bytes) {
            this.bytes = bytes;
        }

        @Override
        public byte[] read(long offset, int length) {
            reads++;
            return Arrays.copyOfRange(bytes, (int) offset, (int) offset + length);
        }

        @Override
        public long size() {
            return bytes.length;
        }
    }

    @Test
    void headersEqualThoseOfThanos() throws IOException {
        Path dir = Shared.golden("thanos/index-headers").orElse(null);
        assumeTrue(dir != null);
        Path buckets = dir.resolveSibling("buckets");
        List<Path> indexes;
        try (Stream<Path> walk = Files.walk(buckets)) {
            indexes = walk.filter(p -> p.getFileName().toString().equals("index")).toList();
        }
        int same = 0;
        try (TempTree tmp = TempTree.create(); Stream<Path> list = Files.list(dir)) {
            for (Path expected : list.sorted().toList()) {
                String ulid = expected.getFileName().toString();
                Path index = indexes.stream().filter(p -> p.getParent().getFileName().toString().equals(ulid)).findFirst().orElseThrow();
                Bytes reader = new Bytes(Files.readAllBytes(index));
                Path file = tmp.resolve(ulid + "/index-header");
                IndexHeader.build(reader, "index", file);
                assertThat(Files.readAllBytes(file)).as(ulid).isEqualTo(Files.readAllBytes(expected.resolve("index-header")));
                assertThat(reader.reads).isEqualTo(1);
                assertThat(file.resolveSibling("index-header.tmp")).doesNotExist();
                same++;
                compare(index, file);
            }
        }
        System.out.println("index headers equal to Thanos': " + same);
        assertThat(same).isPositive();
    }

    /** The header must say about symbols and postings what the index says. */
    private static void compare(Path index, Path header) throws IOException {
        IndexReader r = IndexReader.open(ByteRegion.of(Files.readAllBytes(index), "index", 0));
        try (IndexHeader h = IndexHeader.open(header)) {
            assertThat(h.postings().names()).isEqualTo(r.labelNames());
            assertThat(h.indexSize()).isEqualTo(r.size());
            for (int i = 0; i < r.symbols().size() && r.version() > 1; i++) {
                assertThat(h.symbols().text(i)).isEqualTo(r.symbols().text(i));
                assertThat(h.symbols().find(r.symbols().text(i))).isEqualTo(i);
            }
            for (String name : r.labelNames()) {
                List<String> values = r.labelValues(name);
                assertThat(h.postings().values(name)).isEqualTo(values);
                PostingsRange[] ranges = h.postings().findAll(name, values);
                for (int i = 0; i < values.size(); i++) {
                    PostingsRange range = h.postings().find(name, values.get(i));
                    assertThat(range).isNotNull().isEqualTo(ranges[i]).isEqualTo(r.table().find(name, values.get(i)));
                    byte[] bytes = r.region().copy(range.start(), (int) range.length());
                    assertThat(PostingsList.decode(bytes, 0, bytes.length).toArray()).isEqualTo(r.postings(range).toArray());
                }
                assertThat(h.postings().find(name, "no such value")).isNull();
            }
        }
    }

    @Test
    void versionOneHeadersFindSymbolsByTheirOldOffsets() throws IOException {
        Path dir = Shared.golden("blocks/indexv1/block").orElse(null);
        assumeTrue(dir != null);
        try (Stream<Path> list = Files.list(dir); TempTree tmp = TempTree.create()) {
            Path index = list.findFirst().orElseThrow().resolve("index");
            IndexHeader.build(new Bytes(Files.readAllBytes(index)), "index", tmp.resolve("index-header"));
            compare(index, tmp.resolve("index-header"));
            IndexReader r = IndexReader.open(ByteRegion.of(Files.readAllBytes(index), "index", 0));
            try (IndexHeader h = IndexHeader.open(tmp.resolve("index-header"))) {
                SeriesEntry entry = new SeriesEntry();
                Postings all = r.allPostings();
                for (long id = all.next(); id != Postings.NO_MORE; id = all.next()) {
                    r.series(id, entry);
                    assertThat(entry.labels(h.symbols())).isEqualTo(r.labels(entry));
                }
            }
        }
    }

    @Test
    void everyChangedByteOfAHeaderIsNoticedOrHarmless() throws IOException {
        Path dir = Shared.golden("thanos/index-headers").orElse(null);
        assumeTrue(dir != null);
        try (Stream<Path> list = Files.list(dir); TempTree tmp = TempTree.create()) {
            byte[] good = Files.readAllBytes(list.sorted().findFirst().orElseThrow().resolve("index-header"));
            Path file = tmp.write("h/index-header", good);
            List<String> names;
            try (IndexHeader h = IndexHeader.open(file)) {
                names = h.postings().names();
            }
            for (int i = 0; i < good.length; i++) {
                byte[] bad = good.clone();
                bad[i] ^= (byte) (1 << i % 8);
                Files.write(file, bad);
                try (IndexHeader h = IndexHeader.open(file)) {
                    assertThat(h.postings().names()).as("byte " + i).isEqualTo(names);
                } catch (CorruptDataException e) {
                    assertThat(e.file()).endsWith("index-header");
                    assertThat(e.offset()).isNotNegative();
                }
                Files.write(file, Arrays.copyOf(good, i));
                assertThatThrownBy(() -> IndexHeader.open(file)).isInstanceOf(CorruptDataException.class);
            }
        }
    }

    @Test
    void readingAClosedHeaderIsAnException() throws IOException {
        Path dir = Shared.golden("thanos/index-headers").orElse(null);
        assumeTrue(dir != null);
        try (Stream<Path> list = Files.list(dir)) {
            IndexHeader h = IndexHeader.open(list.sorted().findFirst().orElseThrow().resolve("index-header"));
            h.close();
            h.close();
            assertThatThrownBy(() -> h.postings().values(h.postings().names().getFirst())).isInstanceOf(UnavailableException.class);
            assertThatThrownBy(() -> h.symbols().text(1)).isInstanceOf(UnavailableException.class);
        }
    }
}
