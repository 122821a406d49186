package io.varve.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;

/**
 * What every StoreAPI must do, whatever stands behind it: one table for the store gateway, the sidecar and the querier's proxy. A test of
 * one of them extends this class and says how to make a store of given data; a store is made once for each of the few data sets.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class StoreAcceptance {
    /** Start of all data: a block boundary some time ago. */
    protected static final long START = 1_760_000_400_000L / 7_200_000 * 7_200_000;
    /** Between two samples. */
    protected static final long STEP = 15_000;

    /** Samples {@code count} of a series: from {@link #START} on, each {@link #STEP}, values that differ from series to series. */
    public record Content(Labels labels, int count) {
        /** Its chunks of 120 samples. */
        public List<Chunk> chunks() {
            List<Chunk> out = new ArrayList<>();
            ChunkAppender appender = ChunkAppender.plain(120, out::add);
            for (int i = 0; i < count; i++) {
                appender.append(START + i * STEP, value(i));
            }
            appender.cut();
            return out;
        }

        double value(int i) {
            return (labels.hashCode() & 0xFF) + i * 0.5;
        }
    }

    /** The series of one source. None has an external label's name unless the test is about that. All have a metric name. */
    public record Source(Labels external, List<Content> series) {
    }

    /** A store, and what must be closed with it. */
    public record Opened(Store store, AutoCloseable resources) {
    }

    /**
     * A store over these sources. External labels differ from source to source.
     *
     * @throws org.opentest4j.TestAbortedException where what stands behind it is not there
     */
    protected abstract Opened open(List<Source> sources) throws Exception;

    /** Whether one store can have several sources. */
    protected abstract boolean manySources();

    /** Whether replica labels go out of answers without chunks where series have them of their own; the sidecar of Thanos leaves them there. */
    protected boolean dropsInnerLabelsWithoutChunks() {
        return true;
    }

    /** A store on the other side of a connection. */
    public static Store remote(StoreClient client) {
        return new Store() {
            @Override
            public StoreInfo info() {
                try (QueryContext context = QueryContext.unlimited()) {
                    return client.info(context);
                }
            }

            @Override
            public void series(QueryContext context, SeriesRequest request, SeriesSink sink) {
                try (StoreClient.SeriesStream stream = client.series(context, request)) {
                    for (var f = stream.next(60_000); f != null; f = stream.next(60_000)) {
                        switch (f) {
                            case StoreClient.SeriesStream.Frame.OfSeries(StoreSeries s) -> sink.series(s);
                            case StoreClient.SeriesStream.Frame.OfWarning(String text) -> sink.warning(text);
                        }
                    }
                    sink.queriedBlocks(stream.queriedBlocks());
                }
            }

            @Override
            public StringsResponse labelNames(QueryContext context, LabelNamesRequest request) {
                return client.labelNames(context, request);
            }

            @Override
            public StringsResponse labelValues(QueryContext context, LabelValuesRequest request) {
                return client.labelValues(context, request);
            }
        };
    }

    private final Map<List<Source>, Opened> opened = new HashMap<>();

    @AfterAll
    void closeAll() throws Exception {
        for (Opened o : opened.values()) {
            o.resources.close();
        }
    }

    private Store store(List<Source> sources) throws Exception {
        Opened known = opened.get(sources);
        if (known == null) {
            known = open(sources);
            opened.put(sources, known);
        }
        return known.store;
    }

    private static final Labels EXTERNAL = Labels.of("region", "eu-west", "replica", "r1");
    /** Series of the table, named by the values of {@code n} and {@code i}. */
    private static final List<Source> TABLE = List.of(new Source(EXTERNAL, Stream.of("1", "1a", "1b", "2", "2.5")
            .map(key -> new Content(tableLabels(key), key.equals("2") ? 400 : 10)).toList()));
    /** Labels that sort before and after the replica's, and an inner label of an outer one's name. */
    private static final List<Source> ORDER = List.of(new Source(EXTERNAL, List.of(content("a", "1"), content("a", "2", "z", "1"),
            content("aa", "1"), content("region", "inner", "kind", "clash"), content("rep", "1"), content("s", "1"), content("z", "1"),
            content("z", "2"), content("pod", "p", "s", "1"), content("pod", "q", "s", "1"), content("ü", "1"))));
    private static final List<Source> MANY = List.of(
            new Source(Labels.of("region", "eu-west", "replica", "r1"), List.of(content("n", "1"), content("n", "2"), content("a", "1"))),
            new Source(Labels.of("region", "eu-west", "replica", "r2"), List.of(content("n", "1"), content("n", "3"), content("a", "1"))),
            new Source(Labels.of("region", "us-east", "replica", "r1"), List.of(content("n", "1"), content("z", "1"))));

    private static Labels tableLabels(String key) {
        char last = key.charAt(key.length() - 1);
        return Character.isLetter(last)
                ? Labels.of("__name__", "m", "n", key.substring(0, key.length() - 1), "i", "" + last)
                : Labels.of("__name__", "m", "n", key);
    }

    private static Content content(String... labels) {
        Labels.Builder b = new Labels.Builder().set("__name__", "m");
        for (int i = 0; i < labels.length; i += 2) {
            b.set(labels[i], labels[i + 1]);
        }
        return new Content(b.build(), 10);
    }

    private static Matcher eq(String name, String value) {
        return Matcher.equal(name, value);
    }

    private static Matcher neq(String name, String value) {
        return Matcher.of(Matcher.Type.NOT_EQUAL, name, value);
    }

    private static Matcher re(String name, String value) {
        return Matcher.of(Matcher.Type.REGEX, name, value);
    }

    private static Matcher nre(String name, String value) {
        return Matcher.of(Matcher.Type.NOT_REGEX, name, value);
    }

    private static final Matcher NAME = eq("__name__", "m");

    /** A line of the table: which series there are, one word each. */
    private record Line(String expected, List<Matcher> matchers) {
        static Line of(String expected, Matcher... matchers) {
            return new Line(expected, List.of(matchers));
        }
    }

    private static final List<Line> LINES = List.of(
            // Equal.
            Line.of("1 1a 1b", eq("n", "1")), Line.of("1a", eq("n", "1"), eq("i", "a")), Line.of("", eq("n", "1"), eq("i", "missing")),
            Line.of("", eq("missing", "x")), Line.of("1", eq("n", "1"), eq("i", "")), Line.of("1 1a 1b 2 2.5", NAME, eq("missing", "")),
            Line.of("", eq("n", "1"), eq("n", "2")), Line.of("1 2 2.5", NAME, eq("i", "")),
            // Not equal.
            Line.of("2 2.5", NAME, neq("n", "1")), Line.of("1a 1b", NAME, neq("i", "")), Line.of("2.5", NAME, neq("n", "2"), neq("n", "1")),
            Line.of("", NAME, neq("missing", "")), Line.of("1 1b", eq("n", "1"), neq("i", "a")),
            Line.of("1 1a 1b", eq("n", "1"), neq("i", "missing")), Line.of("", neq("__name__", "m"), re("n", ".+")),
            Line.of("1a 1b", neq("i", "")),
            Line.of("1a", eq("n", "1"), neq("i", ""), eq("i", "a")),
            // Regex.
            Line.of("1 1a 1b", re("n", "^1$")), Line.of("1a", eq("n", "1"), re("i", "^a$")), Line.of("1 1a", eq("n", "1"), re("i", "^a?$")),
            Line.of("1 2 2.5", NAME, re("i", "^$")), Line.of("1", eq("n", "1"), re("i", "^$")),
            Line.of("1 1a 1b", eq("n", "1"), re("i", "^.*$")), Line.of("1a 1b", eq("n", "1"), re("i", "^.+$")),
            Line.of("2", re("n", "x|2")),
            Line.of("2 2.5", re("n", "2|2\\.5")), Line.of("2 2.5", re("n", "2.*")), Line.of("1a 1b", NAME, re("i", "a|b")),
            Line.of("1 1a 1b 2 2.5", NAME, re("i", "a|b|")), Line.of("", re("n", "x.*")), Line.of("2.5", re("n", "(?i)2\\.[0-9]")),
            Line.of("1 1a 1b 2 2.5", re("__name__", ".+")), Line.of("1 1a 1b 2 2.5", NAME, re("missing", ".*")),
            Line.of("", NAME, re("missing", ".+")),
            // Not regex.
            Line.of("2.5", NAME, nre("n", "1|2")), Line.of("1 1b", eq("n", "1"), nre("i", "^a$")),
            Line.of("1b", eq("n", "1"), nre("i", "^a?$")), Line.of("1a 1b", eq("n", "1"), nre("i", "^$")),
            Line.of("", eq("n", "1"), nre("i", "^.*$")), Line.of("1", eq("n", "1"), nre("i", "^.+$")),
            Line.of("1a", eq("n", "1"), neq("i", "b"), re("i", "^(b|a).*$")), Line.of("1 2 2.5", NAME, nre("i", "a|b")),
            Line.of("1 1a 1b 2 2.5", NAME, nre("missing", ".+")), Line.of("", NAME, nre("missing", ".*")),
            // External labels, beside others.
            Line.of("2", eq("n", "2"), eq("region", "eu-west")), Line.of("", eq("n", "2"), eq("region", "us-east")),
            Line.of("2", eq("n", "2"), re("region", "eu.*")), Line.of("", eq("n", "2"), re("region", "us.*")),
            Line.of("2", eq("n", "2"), neq("region", "us-east")), Line.of("", eq("n", "2"), neq("region", "eu-west")),
            Line.of("2", eq("n", "2"), nre("region", "us.*")), Line.of("", eq("n", "2"), nre("region", "eu.*")),
            Line.of("2", eq("n", "2"), neq("region", "")), Line.of("", eq("n", "2"), eq("region", "")),
            Line.of("2", eq("n", "2"), re("region", "eu-west|x"), eq("replica", "r1")),
            Line.of("", eq("n", "2"), eq("region", "eu-west"), eq("replica", "r2")));

    @TestFactory
    Stream<DynamicTest> matchersChooseTheSeries() {
        return LINES.stream().flatMap(line -> Stream.of(false, true)
                .map(skip -> DynamicTest.dynamicTest(line.matchers + (skip ? " labels only" : ""), () -> {
                    List<Labels> expected = new ArrayList<>();
                    for (String key : line.expected.split(" ", -1)) {
                        if (!key.isEmpty()) {
                            expected.add(tableLabels(key).overriddenBy(EXTERNAL));
                        }
                    }
                    expected.sort(null);
                    Answer a = series(TABLE, new Query(line.matchers).skipChunks(skip));
                    assertThat(a.labels()).isEqualTo(expected);
                    assertThat(a.series.values()).allSatisfy(chunks -> assertThat(chunks.isEmpty()).isEqualTo(skip));
                })));
    }

    @TestFactory
    Stream<DynamicTest> matchersChooseNamesAndValues() {
        return LINES.stream().map(line -> DynamicTest.dynamicTest(line.matchers.toString(), () -> {
            TreeSet<String> names = new TreeSet<>();
            TreeSet<String> n = new TreeSet<>();
            for (String key : line.expected.split(" ", -1)) {
                if (!key.isEmpty()) {
                    Labels l = tableLabels(key).overriddenBy(EXTERNAL);
                    l.forEach((name, value) -> names.add(name));
                    n.add(l.get("n"));
                }
            }
            assertThat(names(TABLE, line.matchers, List.of(), 0)).containsExactlyElementsOf(names);
            assertThat(values(TABLE, "n", line.matchers, List.of(), 0)).containsExactlyElementsOf(n);
            assertThat(values(TABLE, "region", line.matchers, List.of(), 0))
                    .isEqualTo(n.isEmpty() ? List.of() : List.of(EXTERNAL.get("region")));
        }));
    }

    @Test
    void namesAndValuesWithoutMatchers() throws Exception {
        assertThat(names(TABLE, List.of(), List.of(), 0)).containsExactly("__name__", "i", "n", "region", "replica");
        assertThat(names(TABLE, List.of(), List.of("replica", "i"), 0)).containsExactly("__name__", "n", "region");
        assertThat(values(TABLE, "n", List.of(), List.of(), 0)).containsExactly("1", "2", "2.5");
        assertThat(values(TABLE, "n", List.of(), List.of(), 2)).containsExactly("1", "2");
        assertThat(values(TABLE, "region", List.of(), List.of(), 0)).containsExactly("eu-west");
        assertThat(values(TABLE, "replica", List.of(), List.of("replica"), 0)).isEmpty();
        assertThat(values(TABLE, "missing", List.of(), List.of(), 0)).isEmpty();
        assertThat(values(TABLE, "n", List.of(eq("region", "us-east")), List.of(), 0)).isEmpty();
        assertThat(names(TABLE, List.of(eq("region", "us-east")), List.of(), 0)).isEmpty();
        assertThat(values(TABLE, "n", List.of(eq("region", "eu-west")), List.of(), 0)).containsExactly("1", "2", "2.5");
    }

    @Test
    void anOuterLabelHidesAnInnerOneOfItsName() throws Exception {
        Labels clash = Labels.of("__name__", "m", "kind", "clash", "region", "eu-west", "replica", "r1");
        for (boolean skip : new boolean[]{false, true}) {
            assertThat(series(ORDER, new Query(List.of(eq("kind", "clash"))).skipChunks(skip)).labels()).containsExactly(clash);
            assertThat(series(ORDER, new Query(List.of(eq("kind", "clash"), eq("region", "eu-west"))).skipChunks(skip)).labels())
                    .containsExactly(clash);
            assertThat(series(ORDER, new Query(List.of(NAME, eq("region", "inner"))).skipChunks(skip)).labels()).isEmpty();
        }
        assertThat(values(ORDER, "region", List.of(NAME), List.of(), 0)).containsExactly("eu-west");
    }

    @Test
    void theOrderIsThatOfTheLabelsThatAreLeft() throws Exception {
        for (List<String> without : List.of(List.<String>of(), List.of("replica"), List.of("region", "replica"), List.of("pod"),
                List.of("replica", "a"), List.of("__name__"), List.of("s", "pod", "replica"))) {
            for (boolean skip : new boolean[]{false, true}) {
                if (skip && !dropsInnerLabelsWithoutChunks() && !List.of("replica").containsAll(without)) {
                    continue;
                }
                TreeSet<Labels> expected = new TreeSet<>();
                ORDER.getFirst().series.forEach(c -> expected.add(c.labels.overriddenBy(EXTERNAL).without(without)));
                assertThat(series(ORDER, new Query(List.of(NAME)).skipChunks(skip).without(without)).labels())
                        .containsExactlyElementsOf(expected);
            }
        }
    }

    @Test
    void samplesComeWholeAndInSmallChunks() throws Exception {
        Content c = new Content(tableLabels("2"), 400);
        for (long[] span : new long[][]{{0, 399}, {0, 0}, {399, 399}, {100, 300}, {119, 120}, {240, 500}}) {
            Answer a = series(TABLE, new Query(List.of(eq("n", "2"))).span(START + span[0] * STEP, START + span[1] * STEP));
            SampleBuffer got = new SampleBuffer(400);
            long last = Long.MIN_VALUE;
            List<StoreChunk> chunks = a.series.values().iterator().next();
            for (StoreChunk chunk : chunks) {
                Chunk raw = chunk.raw();
                assertThat(raw).isNotNull();
                if (raw != null) {
                    int before = got.size;
                    ChunkDecoder.decode(raw, got);
                    assertThat(got.size - before).isBetween(1, 120);
                    assertThat(chunk.minTime()).isGreaterThan(last).isLessThanOrEqualTo(got.timestamps[before]);
                    assertThat(chunk.maxTime()).isGreaterThanOrEqualTo(got.timestamps[got.size - 1]);
                    last = chunk.maxTime();
                }
            }
            Map<Long, Double> within = new TreeMap<>();
            for (int i = 0; i < got.size; i++) {
                if (got.timestamps[i] >= START + span[0] * STEP && got.timestamps[i] <= START + span[1] * STEP) {
                    within.put(got.timestamps[i], got.values[i]);
                }
            }
            Map<Long, Double> expected = new TreeMap<>();
            for (int i = (int) span[0]; i <= Math.min(399, span[1]); i++) {
                expected.put(START + i * STEP, c.value(i));
            }
            assertThat(within).isEqualTo(expected);
        }
    }

    @Test
    void thereIsNothingOutsideTheTimesAsked() throws Exception {
        for (boolean skip : new boolean[]{false, true}) {
            assertThat(series(TABLE, new Query(List.of(NAME)).skipChunks(skip).span(0, START - 1)).labels()).isEmpty();
            assertThat(series(TABLE, new Query(List.of(NAME)).skipChunks(skip).span(START + 400 * STEP, START + 500 * STEP)).labels())
                    .isEmpty();
        }
        assertThat(series(TABLE, new Query(List.of(NAME)).span(START + 200 * STEP, START + 300 * STEP)).labels())
                .containsExactly(tableLabels("2").overriddenBy(EXTERNAL));
    }

    @Test
    void aLimitCutsTheEndOff() throws Exception {
        for (List<Source> data : List.of(TABLE, ORDER)) {
            List<Labels> all = series(data, new Query(List.of(NAME))).labels();
            for (int limit : new int[]{0, 1, 3, all.size(), all.size() + 1}) {
                for (boolean skip : new boolean[]{false, true}) {
                    assertThat(series(data, new Query(List.of(NAME)).skipChunks(skip).limit(limit)).labels())
                            .hasSize(limit == 0 ? all.size() : Math.min(limit, all.size())).isSubsetOf(all);
                }
            }
        }
    }

    @Test
    void shardsPartTheSeriesByTheLabelsThatAreLeft() throws Exception {
        for (boolean by : new boolean[]{false, true}) {
            for (List<String> names : List.of(List.of("s"), List.of("pod", "z"), List.<String>of())) {
                for (List<String> without : List.of(List.<String>of(), List.of("replica"))) {
                    List<Labels> all = new ArrayList<>();
                    for (int i = 0; i < 3; i++) {
                        List<Labels> shard = series(ORDER, new Query(List.of(NAME)).without(without).shard(new ShardInfo(i, 3, by, names)))
                                .labels();
                        ShardFilter filter = new ShardFilter(new ShardInfo(i, 3, by, names));
                        assertThat(shard).allMatch(l -> filter.takes(EncodedLabels.of(l)));
                        all.addAll(shard);
                    }
                    assertThat(all).containsExactlyInAnyOrderElementsOf(series(ORDER, new Query(List.of(NAME)).without(without)).labels());
                }
            }
        }
    }

    @Test
    void framesOfAnySizeHoldTheSame() throws Exception {
        Answer one = series(ORDER, new Query(List.of(NAME)));
        for (long batch : new long[]{0, 2, 64, 1_000_000}) {
            Answer other = series(ORDER, new Query(List.of(NAME)).batch(batch));
            assertThat(other.labels()).isEqualTo(one.labels());
        }
    }

    @Test
    void sourcesAreMerged() throws Exception {
        assumeTrue(manySources(), "one source only");
        List<Labels> all = new ArrayList<>();
        MANY.forEach(s -> s.series.forEach(c -> all.add(c.labels.overriddenBy(s.external))));
        all.sort(null);
        assertThat(series(MANY, new Query(List.of(NAME))).labels()).isEqualTo(all);
        for (List<String> without : List.of(List.of("replica"), List.of("region"), List.of("region", "replica"))) {
            TreeSet<Labels> left = new TreeSet<>();
            all.forEach(l -> left.add(l.without(without)));
            assertThat(series(MANY, new Query(List.of(NAME)).without(without)).labels()).containsExactlyElementsOf(left);
        }
        assertThat(series(MANY, new Query(List.of(eq("n", "1"), eq("region", "us-east")))).labels()).hasSize(1);
        assertThat(series(MANY, new Query(List.of(eq("n", "1"), re("replica", "r1|r2"), neq("region", "us-east")))).labels()).hasSize(2);
        assertThat(values(MANY, "region", List.of(eq("n", "1")), List.of(), 0)).containsExactly("eu-west", "us-east");
        assertThat(values(MANY, "replica", List.of(eq("n", "3")), List.of(), 0)).containsExactly("r2");
        assertThat(values(MANY, "n", List.of(), List.of(), 0)).containsExactly("1", "2", "3");
        assertThat(names(MANY, List.of(eq("region", "us-east"), NAME), List.of(), 0)).containsExactly("__name__", "n", "region", "replica",
                "z");
    }

    /** Any matchers over series, against looking at every series. */
    @Test
    void anyMatchersChooseAsLookingAtEverySeriesDoes() throws Exception {
        Random random = new Random(20251);
        String[] names = {"n", "i", "a", "z", "pod", "s", "missing", "region", "replica"};
        String[] values = {"", "1", "2", "a", "p", "eu-west", "r1", "x"};
        String[] patterns = {".*", ".+", "", "1|2", "(1|p|r1)?", "[a-e].*", "[^1]", "x|y|z", ".", "eu-west|us-east|a"};
        for (int round = 0; round < 300; round++) {
            List<Source> data = round % 2 == 0 ? TABLE : ORDER;
            List<Matcher> matchers = new ArrayList<>(List.of(NAME));
            for (int i = random.nextInt(3); i >= 0; i--) {
                String name = names[random.nextInt(names.length)];
                matchers.add(switch (random.nextInt(4)) {
                    case 0 -> eq(name, values[random.nextInt(values.length)]);
                    case 1 -> neq(name, values[random.nextInt(values.length)]);
                    case 2 -> re(name, patterns[random.nextInt(patterns.length)]);
                    default -> nre(name, patterns[random.nextInt(patterns.length)]);
                });
            }
            List<Labels> expected = data.getFirst().series.stream().filter(c -> matchers.stream().allMatch(m -> {
                String outer = EXTERNAL.get(m.name());
                return m.matches(outer.isEmpty() ? c.labels.get(m.name()) : outer);
            })).map(c -> c.labels.overriddenBy(EXTERNAL)).sorted().toList();
            assertThat(series(data, new Query(matchers).skipChunks(random.nextBoolean())).labels()).as("%s", matchers).isEqualTo(expected);
        }
    }

    /** A request in the making. */
    private record Query(List<Matcher> matchers, long minTime, long maxTime, boolean skipChunks, List<String> without, ShardInfo shard,
            long limit, long batch) {
        Query(List<Matcher> matchers) {
            this(matchers, START, START + 1000 * STEP, false, List.of(), ShardInfo.NONE, 0, 1);
        }

        Query span(long min, long max) {
            return new Query(matchers, min, max, skipChunks, without, shard, limit, batch);
        }

        Query skipChunks(boolean skip) {
            return new Query(matchers, minTime, maxTime, skip, without, shard, limit, batch);
        }

        Query without(List<String> names) {
            return new Query(matchers, minTime, maxTime, skipChunks, names, shard, limit, batch);
        }

        Query shard(ShardInfo s) {
            return new Query(matchers, minTime, maxTime, skipChunks, without, s, limit, batch);
        }

        Query limit(long n) {
            return new Query(matchers, minTime, maxTime, skipChunks, without, shard, n, batch);
        }

        Query batch(long n) {
            return new Query(matchers, minTime, maxTime, skipChunks, without, shard, limit, n);
        }

        SeriesRequest request() {
            return new SeriesRequest(minTime, maxTime, matchers, 0, EnumSet.noneOf(Aggregate.class), false, skipChunks, List.of(), without,
                    shard, limit, batch, SeriesRequest.Spans.ALL);
        }
    }

    /** Chunks by labels, in the order of the stream; frames of the same labels in a row are one. */
    private record Answer(java.util.LinkedHashMap<Labels, List<StoreChunk>> series) {
        List<Labels> labels() {
            return List.copyOf(series.keySet());
        }
    }

    private Answer series(List<Source> data, Query query) throws Exception {
        java.util.LinkedHashMap<Labels, List<StoreChunk>> out = new java.util.LinkedHashMap<>();
        try (QueryContext context = QueryContext.unlimited()) {
            store(data).series(context, query.request(), new SeriesSink() {
                private @Nullable Labels last;

                @Override
                public void series(StoreSeries s) {
                    assertThat(last == null || last.compareTo(s.labels()) <= 0).as("%s after %s", s.labels(), last).isTrue();
                    last = s.labels();
                    out.computeIfAbsent(s.labels(), l -> new ArrayList<>()).addAll(s.chunks());
                }

                @Override
                public void warning(String text) {
                    throw new AssertionError("warning: " + text);
                }

                @Override
                public void queriedBlocks(List<String> ids) {
                    // Only stores over blocks have any.
                }
            });
        }
        return new Answer(out);
    }

    private List<String> names(List<Source> data, List<Matcher> matchers, List<String> without, long limit) throws Exception {
        try (QueryContext context = QueryContext.unlimited()) {
            StringsResponse r = store(data).labelNames(context,
                    new LabelNamesRequest(START, START + 1000 * STEP, matchers, false, List.of(), without, limit));
            assertThat(r.warnings()).isEmpty();
            return r.values();
        }
    }

    private List<String> values(List<Source> data, String label, List<Matcher> matchers, List<String> without, long limit)
            throws Exception {
        try (QueryContext context = QueryContext.unlimited()) {
            StringsResponse r = store(data).labelValues(context,
                    new LabelValuesRequest(label, START, START + 1000 * STEP, matchers, false, List.of(), without, limit));
            assertThat(r.warnings()).isEmpty();
            return r.values();
        }
    }
}
