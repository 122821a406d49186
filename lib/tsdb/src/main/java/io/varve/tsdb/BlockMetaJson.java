package io.varve.tsdb;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** {@code meta.json} to and from {@link BlockMeta}; strict in types, lenient in fields, as Go's decoder. */
final class BlockMetaJson {
    /** No real file comes near: 100,000 sources and files take 10 MB. */
    static final int MAX_BYTES = 128 << 20;
    private static final JsonMapper JSON = JsonMapper
            .builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(200).maxNumberLength(400).build()).build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS).build();
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final String ZERO_TIME = "0001-01-01T00:00:00Z";

    private final byte[] json;
    private final String name;

    private BlockMetaJson(byte[] json, String name) {
        this.json = json;
        this.name = name;
    }

    /** Where a field's name stands first, 0 where it does not. */
    static long offsetOf(byte[] json, String field) {
        byte[] key = ('"' + field + '"').getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i + key.length <= json.length; i++) {
            if (Arrays.equals(json, i, i + key.length, key, 0, key.length)) {
                return i;
            }
        }
        return 0;
    }

    /** The parser would take UTF-16 and UTF-32 too, which Go does not. */
    private static boolean isUtf8(byte[] json) {
        return json.length < 2 || json[0] > 0 && json[1] != 0;
    }

    /** What a person needs of the parser's message. */
    private static String plain(JsonProcessingException e) {
        return e instanceof MismatchedInputException ? "text after its end" : e.getOriginalMessage().replaceAll(", from `[^`]*`", "");
    }

    static BlockMeta parse(byte[] json, String name) {
        if (!isUtf8(json)) {
            throw new CorruptDataException(name, 0, "not valid JSON: it begins with a byte order mark or is not UTF-8");
        }
        JsonNode root;
        try {
            root = JSON.readTree(json);
        } catch (JsonProcessingException e) {
            long at = e.getLocation() == null ? 0 : Math.max(0, e.getLocation().getByteOffset());
            throw new CorruptDataException(name, at, "not valid JSON: " + plain(e), e);
        } catch (IOException e) {
            throw new CorruptDataException(name, 0, "not valid JSON: " + e.getMessage(), e);
        }
        if (root == null || root.isMissingNode()) {
            throw new CorruptDataException(name, 0, "not valid JSON: unexpected end");
        }
        return new BlockMetaJson(json, name).meta(root);
    }

    private BlockMeta meta(JsonNode root) {
        if (!root.isObject()) {
            throw corrupt("", "expected a JSON object, found " + root.getNodeType());
        }
        long version = integer(root, "version");
        if (version != BlockMeta.VERSION) {
            throw corrupt("version", "unexpected meta file version " + version);
        }
        UnknownFields.Collector unknown = new UnknownFields.Collector();
        unknown.collect("", root, Set.of("ulid", "minTime", "maxTime", "stats", "compaction", "version", "thanos"));
        JsonNode thanos = root.get("thanos");
        return new BlockMeta(ulid(root.get("ulid")), integer(root, "minTime"), integer(root, "maxTime"),
                stats(object(root, "stats"), unknown), compaction(object(root, "compaction"), unknown),
                thanos == null || thanos.isNull() ? null : thanos(object(root, "thanos"), unknown), unknown.fields());
    }

    private BlockMeta.Stats stats(JsonNode n, UnknownFields.Collector unknown) {
        unknown.collect("stats", n, Set.of("numSamples", "numFloatSamples", "numHistogramSamples", "numSeries", "numChunks",
                "numTombstones"));
        return new BlockMeta.Stats(integer(n, "numSamples"), integer(n, "numFloatSamples"), integer(n, "numHistogramSamples"),
                integer(n, "numSeries"), integer(n, "numChunks"), integer(n, "numTombstones"));
    }

    private BlockMeta.Compaction compaction(JsonNode n, UnknownFields.Collector unknown) {
        unknown.collect("compaction", n, Set.of("level", "sources", "deletable", "parents", "failed", "hints"));
        List<Ulid> sources = new ArrayList<>();
        for (JsonNode s : array(n, "sources")) {
            sources.add(ulid(s));
        }
        List<BlockMeta.Parent> parents = new ArrayList<>();
        for (JsonNode p : array(n, "parents")) {
            parents.add(new BlockMeta.Parent(ulid(p.get("ulid")), integer(p, "minTime"), integer(p, "maxTime")));
        }
        return new BlockMeta.Compaction((int) integer(n, "level"), sources, bool(n, "deletable"), parents, bool(n, "failed"),
                strings(n, "hints"));
    }

    private BlockMeta.Thanos thanos(JsonNode n, UnknownFields.Collector unknown) {
        unknown.collect("thanos", n, Set.of("version", "labels", "downsample", "source", "segment_files", "files", "rewrites",
                "index_stats", "extensions", "upload_time"));
        unknown.collect("thanos/downsample", object(n, "downsample"), Set.of("resolution"));
        unknown.collect("thanos/index_stats", object(n, "index_stats"), Set.of("series_max_size", "chunk_max_size"));
        long version = integer(n, "version");
        if (version != 0 && version != 1) {
            throw corrupt("thanos", "unexpected meta file Thanos section version " + version);
        }
        Map<String, String> labels = new LinkedHashMap<>();
        object(n, "labels").properties().forEach(e -> labels.put(e.getKey(), text(e.getValue(), "labels")));
        List<BlockMeta.FileEntry> files = new ArrayList<>();
        for (JsonNode f : array(n, "files")) {
            JsonNode hash = object(f, "hash");
            files.add(new BlockMeta.FileEntry(string(f, "rel_path"), integer(f, "size_bytes"), string(hash, "hashFunc"),
                    string(hash, "value")));
        }
        List<JsonNode> rewrites = new ArrayList<>();
        array(n, "rewrites").forEach(rewrites::add);
        JsonNode stats = object(n, "index_stats");
        JsonNode extensions = n.get("extensions");
        return new BlockMeta.Thanos((int) version, Labels.of(labels), integer(object(n, "downsample"), "resolution"), string(n, "source"),
                strings(n, "segment_files"), files, rewrites,
                new BlockMeta.IndexStats(integer(stats, "series_max_size"), integer(stats, "chunk_max_size")),
                extensions == null || extensions.isNull() ? null : extensions, time(string(n, "upload_time")));
    }

    private @Nullable Instant time(String text) {
        if (text.isEmpty() || text.equals(ZERO_TIME)) {
            return null;
        }
        try {
            return OffsetDateTime.parse(text).toInstant();
        } catch (DateTimeException e) {
            throw new CorruptDataException(name, offsetOf(json, "upload_time"), "upload_time \"" + text + "\" is no RFC 3339 time", e);
        }
    }

    private Ulid ulid(@Nullable JsonNode n) {
        String text = n == null ? "" : text(n, "ulid");
        return Ulid.parse(text).orElseThrow(() -> corrupt("ulid", "\"" + text + "\" is no ULID"));
    }

    private long integer(JsonNode object, String field) {
        JsonNode n = field(object, field);
        if (n == null) {
            return 0;
        }
        if (!n.isIntegralNumber() || !n.canConvertToLong()) {
            throw corrupt(field, field + ": expected a 64-bit integer, found " + shorten(n));
        }
        return n.longValue();
    }

    private boolean bool(JsonNode object, String field) {
        JsonNode n = field(object, field);
        if (n != null && !n.isBoolean()) {
            throw corrupt(field, field + ": expected true or false, found " + shorten(n));
        }
        return n != null && n.booleanValue();
    }

    private String string(JsonNode object, String field) {
        JsonNode n = field(object, field);
        return n == null ? "" : text(n, field);
    }

    private String text(JsonNode n, String field) {
        if (!n.isTextual()) {
            throw corrupt(field, field + ": expected a text, found " + shorten(n));
        }
        return n.textValue();
    }

    private JsonNode object(JsonNode object, String field) {
        JsonNode n = field(object, field);
        if (n == null) {
            return NODES.objectNode();
        }
        if (!n.isObject()) {
            throw corrupt(field, field + ": expected an object, found " + shorten(n));
        }
        return n;
    }

    private JsonNode array(JsonNode object, String field) {
        JsonNode n = field(object, field);
        if (n == null) {
            return NODES.arrayNode();
        }
        if (!n.isArray()) {
            throw corrupt(field, field + ": expected an array, found " + shorten(n));
        }
        return n;
    }

    private List<String> strings(JsonNode object, String field) {
        List<String> out = new ArrayList<>();
        for (JsonNode n : array(object, field)) {
            out.add(text(n, field));
        }
        return out;
    }

    /** Absent and null are the same, as for Go. */
    private @Nullable JsonNode field(JsonNode object, String field) {
        if (!object.isObject()) {
            throw corrupt(field, field + ": expected inside an object, found " + shorten(object));
        }
        JsonNode n = object.get(field);
        return n == null || n.isNull() ? null : n;
    }

    private static String shorten(JsonNode n) {
        String s = n.toString();
        return s.length() > 60 ? s.substring(0, 60) + "…" : s;
    }

    private CorruptDataException corrupt(String field, String rule) {
        return new CorruptDataException(name, offsetOf(json, field), rule);
    }

    static byte[] write(BlockMeta m) {
        ObjectNode root = NODES.objectNode();
        root.put("ulid", m.ulid().toString());
        root.put("minTime", m.minTime());
        root.put("maxTime", m.maxTime());
        ObjectNode stats = root.putObject("stats");
        BlockMeta.Stats s = m.stats();
        putUnlessZero(stats, "numSamples", s.samples());
        putUnlessZero(stats, "numFloatSamples", s.floatSamples());
        putUnlessZero(stats, "numHistogramSamples", s.histogramSamples());
        putUnlessZero(stats, "numSeries", s.series());
        putUnlessZero(stats, "numChunks", s.chunks());
        putUnlessZero(stats, "numTombstones", s.tombstones());
        addUnknown(stats, m, "stats");
        compaction(root.putObject("compaction"), m);
        root.put("version", BlockMeta.VERSION);
        if (m.thanos() != null) {
            thanos(root.putObject("thanos"), m.thanos(), m);
        }
        addUnknown(root, m, "");
        StringBuilder out = new StringBuilder(1024);
        GoJson.append(out, root, 0);
        if (m.thanos() != null) {
            // Prometheus marshals, Thanos encodes to a stream: the latter ends with a line feed.
            out.append('\n');
        }
        return out.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static void compaction(ObjectNode n, BlockMeta m) {
        BlockMeta.Compaction c = m.compaction();
        n.put("level", c.level());
        if (!c.sources().isEmpty()) {
            ArrayNode sources = n.putArray("sources");
            c.sources().forEach(u -> sources.add(u.toString()));
        }
        if (c.deletable()) {
            n.put("deletable", true);
        }
        if (!c.parents().isEmpty()) {
            ArrayNode parents = n.putArray("parents");
            c.parents().forEach(p -> parents.addObject().put("ulid", p.ulid().toString()).put("minTime", p.minTime()).put("maxTime",
                    p.maxTime()));
        }
        if (c.failed()) {
            n.put("failed", true);
        }
        putStrings(n, "hints", c.hints());
        addUnknown(n, m, "compaction");
    }

    private static void thanos(ObjectNode n, BlockMeta.Thanos t, BlockMeta m) {
        if (t.version() != 0) {
            n.put("version", t.version());
        }
        ObjectNode labels = n.putObject("labels");
        t.labels().forEach(labels::put);
        ObjectNode downsample = n.putObject("downsample").put("resolution", t.resolutionMillis());
        addUnknown(downsample, m, "thanos/downsample");
        n.put("source", t.source());
        putStrings(n, "segment_files", t.segmentFiles());
        if (!t.files().isEmpty()) {
            ArrayNode files = n.putArray("files");
            for (BlockMeta.FileEntry f : t.files()) {
                ObjectNode file = files.addObject().put("rel_path", f.path());
                putUnlessZero(file, "size_bytes", f.sizeBytes());
                if (!f.hashFunction().isEmpty() || !f.hash().isEmpty()) {
                    file.putObject("hash").put("hashFunc", f.hashFunction()).put("value", f.hash());
                }
            }
        }
        if (!t.rewrites().isEmpty()) {
            ArrayNode rewrites = n.putArray("rewrites");
            t.rewrites().forEach(rewrites::add);
        }
        ObjectNode stats = n.putObject("index_stats");
        putUnlessZero(stats, "series_max_size", t.indexStats().seriesMaxSize());
        putUnlessZero(stats, "chunk_max_size", t.indexStats().chunkMaxSize());
        addUnknown(stats, m, "thanos/index_stats");
        if (t.extensions() != null) {
            n.set("extensions", t.extensions());
        }
        n.put("upload_time", t.uploadTime() == null ? ZERO_TIME : rfc3339(t.uploadTime()));
        addUnknown(n, m, "thanos");
    }

    private static String rfc3339(Instant time) {
        String seconds = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss").format(time.atOffset(ZoneOffset.UTC));
        if (time.getNano() == 0) {
            return seconds + "Z";
        }
        String nanos = String.format("%09d", time.getNano());
        int end = nanos.length();
        while (nanos.charAt(end - 1) == '0') {
            end--;
        }
        return seconds + "." + nanos.substring(0, end) + "Z";
    }

    private static void putUnlessZero(ObjectNode n, String field, long value) {
        if (value != 0) {
            n.put(field, value);
        }
    }

    private static void putStrings(ObjectNode n, String field, List<String> values) {
        if (!values.isEmpty()) {
            ArrayNode a = n.putArray(field);
            values.forEach(a::add);
        }
    }

    private static void addUnknown(ObjectNode n, BlockMeta m, String path) {
        m.unknown().at(path).forEach(n::set);
    }
}
