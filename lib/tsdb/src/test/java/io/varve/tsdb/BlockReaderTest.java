package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.SampleBuffer;
import io.varve.model.UnavailableException;
import io.varve.testkit.Shared;
import io.varve.tsdb.index.Postings;
import io.varve.tsdb.index.SeriesEntry;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BlockReaderTest {
    /** Compares a sample's time and, for floats, bits. Histograms are compared in full by the chunk library's own tests. */
    static void assertSample(SampleBuffer got, int i, JsonNode want, String where) {
        long t = want.isArray() ? want.get(0).longValue() : want.get("t").longValue();
        assertThat(got.timestamps[i]).as(where).isEqualTo(t);
        if (want.isArray()) {
            assertThat(got.histogram(i)).as(where).isNull();
            assertThat(Double.doubleToRawLongBits(got.values[i])).as(where)
                    .isEqualTo(Double.doubleToRawLongBits(Shared.bits(want.get(1))));
        } else {
            assertThat(got.histogram(i)).as(where).isNotNull();
            JsonNode count = want.get("h").get("count");
            double expected = want.get("h").get("kind").textValue().equals("int")
                    ? Double.parseDouble(count.textValue())
                    : Shared.bits(count);
            assertThat(got.histogram(i).count()).as(where).isEqualTo(expected);
        }
    }

    @Test
    void goldenBlocksReadAsTheyMust() {
        List<GoldenBlocks.Case> cases = GoldenBlocks.all();
        assumeTrue(!cases.isEmpty());
        long series = 0;
        long samples = 0;
        for (GoldenBlocks.Case c : cases) {
            try (BlockReader block = BlockReader.open(c.directory()); Stream<JsonNode> lines = Shared.jsonLines(c.expected())) {
                SeriesEntry entry = new SeriesEntry();
                SampleBuffer buffer = new SampleBuffer(256);
                Postings all = block.index().allPostings();
                for (JsonNode line : (Iterable<JsonNode>) lines::iterator) {
                    long id = all.next();
                    assertThat(id).as(c.name()).isEqualTo(line.get("series_ref").longValue());
                    block.index().series(id, entry);
                    assertThat(block.index().labels(entry)).isEqualTo(GoldenBlocks.labels(line.get("labels")));
                    assertThat(entry.chunkCount).isEqualTo(line.get("chunks").size());
                    List<Chunk> chunks = block.chunks(entry);
                    for (int i = 0; i < chunks.size(); i++) {
                        JsonNode want = line.get("chunks").get(i);
                        Chunk got = chunks.get(i);
                        assertThat(entry.refs[i]).isEqualTo(want.get("ref").longValue());
                        assertThat(got.minTime()).isEqualTo(want.get("min_time").longValue());
                        assertThat(got.maxTime()).isEqualTo(want.get("max_time").longValue());
                        assertThat(got.encoding().code()).isEqualTo(want.get("encoding").intValue());
                        assertThat(got.length()).isEqualTo(want.get("num_bytes").intValue());
                        assertThat(got.sameContent(block.chunk(entry.refs[i], got.minTime(), got.maxTime()))).isTrue();
                        buffer.clear();
                        ChunkDecoder.decode(got, buffer);
                        assertThat(buffer.size).isEqualTo(want.get("num_samples").intValue());
                        for (int k = 0; k < buffer.size; k++) {
                            assertSample(buffer, k, want.get("samples").get(k), c.name());
                        }
                        samples += buffer.size;
                    }
                    series++;
                }
                assertThat(all.next()).isEqualTo(Postings.NO_MORE);
            }
        }
        System.out.println("golden blocks read: " + cases.size() + ", series " + series + ", samples " + samples);
    }

    @Test
    void statisticsAgreeWithThoseOfPrometheus() {
        List<GoldenBlocks.Case> cases = GoldenBlocks.all();
        assumeTrue(!cases.isEmpty());
        for (GoldenBlocks.Case c : cases) {
            JsonNode stats = Shared.json(c.expected().resolveSibling(
                    c.expected().getFileName().toString().replace("expected", "stats").replace(".jsonl.gz", ".json")));
            try (BlockReader block = BlockReader.open(c.directory())) {
                assertThat(block.index().version()).isEqualTo(stats.get("index_version").intValue());
                assertThat(block.index().size()).isEqualTo(stats.get("index_bytes").longValue());
                assertThat(block.index().toc().symbols()).isEqualTo(stats.get("toc").get("symbols").longValue());
                assertThat(block.index().toc().postingsTable()).isEqualTo(stats.get("toc").get("postings_table").longValue());
                assertThat(block.index().toc().labelIndices()).isEqualTo(stats.get("toc").get("label_indices").longValue());
                assertThat(block.index().symbols().size()).isEqualTo(stats.get("symbols").get("count").intValue());
                assertThat(block.index().labelNames()).hasSize(stats.get("label_names").intValue());
                stats.get("values_per_label_name").properties().forEach(
                        e -> assertThat(block.index().table().valueCount(e.getKey())).as(e.getKey()).isEqualTo(e.getValue().intValue()));
                for (JsonNode e : stats.get("postings_offset_table").get("first_20")) {
                    assertThat(block.index().table().find(Shared.text(e.get("name")), Shared.text(e.get("value"))).start() - 4)
                            .isEqualTo(e.get("offset").longValue());
                }
            }
        }
    }

    @Test
    void postingsAndLabelQueriesAnswerAsPrometheus() {
        List<GoldenBlocks.Case> cases = GoldenBlocks.all();
        assumeTrue(!cases.isEmpty());
        int questions = 0;
        List<String> wrong = new ArrayList<>();
        for (GoldenBlocks.Case c : cases) {
            Path file = c.expected().resolveSibling("postings.jsonl.gz");
            if (!c.name().endsWith("/block") || !file.toFile().exists()) {
                continue;
            }
            try (BlockReader block = BlockReader.open(c.directory()); Stream<JsonNode> lines = Shared.jsonLines(file)) {
                Map<Long, Long> ordinals = new HashMap<>();
                Postings all = block.index().allPostings();
                for (long id = all.next(); id != Postings.NO_MORE; id = all.next()) {
                    ordinals.put(id, (long) ordinals.size());
                }
                for (JsonNode q : (Iterable<JsonNode>) lines::iterator) {
                    List<Matcher> matchers = new ArrayList<>();
                    for (JsonNode m : q.get("matchers")) {
                        matchers.add(Matcher.of(type(m.get("op").textValue()), Shared.text(m.get("name")), Shared.text(m.get("value"))));
                    }
                    questions++;
                    boolean ok = switch (q.get("kind").textValue()) {
                        case "postings" -> ranges(block.index().postings(matchers), ordinals).equals(q.get("result").toString());
                        case "label_names" -> block.index().labelNames(matchers).equals(texts(q.get("result")));
                        case "label_values" ->
                            block.index().labelValues(Shared.text(q.get("name")), matchers).equals(texts(q.get("result")));
                        default -> throw new AssertionError(q.get("kind"));
                    };
                    if (!ok) {
                        wrong.add(c.name() + " " + q.toString().substring(0, Math.min(300, q.toString().length())));
                    }
                }
            }
        }
        System.out.println("golden index questions: " + (questions - wrong.size()) + " of " + questions + " answered alike");
        assertThat(wrong).isEmpty();
    }

    private static Matcher.Type type(String op) {
        for (Matcher.Type t : Matcher.Type.values()) {
            if (t.symbol().equals(op)) {
                return t;
            }
        }
        throw new AssertionError(op);
    }

    private static List<String> texts(JsonNode array) {
        List<String> out = new ArrayList<>();
        array.forEach(n -> out.add(Shared.text(n)));
        return out;
    }

    private static String ranges(Postings p, Map<Long, Long> ordinals) {
        StringBuilder sb = new StringBuilder("[");
        long first = -2;
        long last = -2;
        for (long id = p.next();; id = p.next()) {
            long ordinal = id == Postings.NO_MORE ? Long.MAX_VALUE : ordinals.get(id);
            if (ordinal != last + 1) {
                if (first >= 0) {
                    sb.append(sb.length() > 1 ? "," : "").append("[" + first + "," + last + "]");
                }
                first = ordinal;
            }
            last = ordinal;
            if (id == Postings.NO_MORE) {
                return sb.append(']').toString();
            }
        }
    }

    @Test
    void deletedSamplesAreLeftOut() {
        List<GoldenBlocks.Case> cases = GoldenBlocks.all();
        assumeTrue(!cases.isEmpty());
        GoldenBlocks.Case c = GoldenBlocks.get("tombstones/block");
        Map<Labels, JsonNode> expected = new HashMap<>();
        try (Stream<JsonNode> lines = Shared.jsonLines(c.expected().resolveSibling("expected-applied.jsonl.gz"))) {
            lines.forEach(l -> expected.put(GoldenBlocks.labels(l.get("labels")), l.get("samples")));
        }
        try (BlockReader block = BlockReader.open(c.directory());
                ChunkSeriesSet set = block.select(List.of(), Long.MIN_VALUE, Long.MAX_VALUE, false)) {
            int n = 0;
            SampleBuffer buffer = new SampleBuffer(256);
            for (ChunkSeries s = set.next(); s != null; s = set.next(), n++) {
                buffer.clear();
                s.chunks().forEach(k -> ChunkDecoder.decode(k, buffer));
                JsonNode want = expected.get(s.labels());
                assertThat(want).as(s.labels().toString()).isNotNull();
                assertThat(buffer.size).as(s.labels().toString()).isEqualTo(want.size());
                for (int i = 0; i < buffer.size; i++) {
                    assertSample(buffer, i, want.get(i), s.labels().toString());
                }
            }
            assertThat(n).isEqualTo(expected.size());
            byte[] original = Tombstones.read(c.directory()).encode();
            assertThat(original).isEqualTo(Shared.bytes(c.directory().resolve("tombstones")));
            assertThat(block.tombstones().intervals()).isEqualTo(block.meta().stats().tombstones());
        }
    }

    @Test
    void closingABlockUnderItsReadersIsAnException() throws InterruptedException {
        List<GoldenBlocks.Case> cases = GoldenBlocks.all();
        assumeTrue(!cases.isEmpty());
        for (int round = 0; round < 20; round++) {
            BlockReader block = BlockReader.open(GoldenBlocks.get("labels/block").directory());
            CountDownLatch reading = new CountDownLatch(2);
            List<Throwable> ends = new ArrayList<>();
            List<Thread> readers = new ArrayList<>();
            for (int t = 0; t < 2; t++) {
                readers.add(Thread.ofPlatform().start(() -> {
                    try {
                        while (true) {
                            try (ChunkSeriesSet set = block.stored()) {
                                while (set.next() != null) {
                                    reading.countDown();
                                }
                            }
                        }
                    } catch (RuntimeException e) {
                        synchronized (ends) {
                            ends.add(e);
                        }
                    }
                }));
            }
            reading.await();
            block.close();
            for (Thread t : readers) {
                t.join();
            }
            assertThat(ends).hasSize(2)
                    .allSatisfy(e -> assertThat(e).isInstanceOf(UnavailableException.class).hasMessageContaining("closed"));
            assertThatThrownBy(() -> block.index().labelValues("__name__")).isInstanceOf(UnavailableException.class);
        }
    }
}
