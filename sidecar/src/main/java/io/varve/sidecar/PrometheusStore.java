package io.varve.sidecar;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import io.airlift.compress.v3.snappy.SnappyJavaCompressor;
import io.airlift.compress.v3.snappy.SnappyJavaDecompressor;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.Encoding;
import io.varve.model.CorruptDataException;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SampleCursor;
import io.varve.model.UnavailableException;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.RemoteRead;
import io.varve.store.SeriesRequest;
import io.varve.store.SeriesSink;
import io.varve.store.ShardFilter;
import io.varve.store.Store;
import io.varve.store.StoreChunk;
import io.varve.store.StoreInfo;
import io.varve.store.StoreSeries;
import io.varve.store.StringsResponse;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The StoreAPI over a Prometheus: Series from remote read, with chunks as Prometheus has them; names and values from its HTTP API. External
 * labels are matched here and never sent to Prometheus. Safe for many threads.
 */
final class PrometheusStore implements Store {
    /** As Prometheus' own client: a frame of the stream is near 1 MiB, one beyond this is none. */
    private static final int MAX_FRAME_BYTES = 50_000_000;
    /** A sampled answer is one message. */
    private static final int MAX_SAMPLED_BYTES = 256 << 20;
    /** Every series satisfies it, and Prometheus takes it for a condition that is not empty. */
    private static final Matcher HAS_NAME = Matcher.of(Matcher.Type.NOT_EQUAL, Labels.METRIC_NAME, "");

    private final Prometheus prometheus;
    private final Supplier<Heartbeat> heartbeat;
    private final io.prometheus.metrics.core.metrics.Histogram receivedFrames;

    PrometheusStore(Prometheus prometheus, Supplier<Heartbeat> heartbeat,
            io.prometheus.metrics.model.registry.PrometheusRegistry registry) {
        this.prometheus = prometheus;
        this.heartbeat = heartbeat;
        this.receivedFrames = io.prometheus.metrics.core.metrics.Histogram.builder().name("prometheus_store_received_frames")
                .help("Number of frames received per streamed response.").classicOnly().classicUpperBounds(10, 100, 1000, 10_000, 100_000)
                .register(registry);
    }

    @Override
    public StoreInfo info() {
        Heartbeat h = heartbeat.get();
        return new StoreInfo("sidecar", List.of(h.external()),
                new StoreInfo.StoreSpan(h.minTime(), Long.MAX_VALUE, true, true,
                        List.of(new StoreInfo.TsdbInfo(h.external(), h.minTime(), Long.MAX_VALUE))),
                EnumSet.of(StoreInfo.Service.RULES, StoreInfo.Service.METADATA, StoreInfo.Service.TARGETS, StoreInfo.Service.EXEMPLARS,
                        StoreInfo.Service.STATUS));
    }

    /** The matchers that are left for Prometheus, null where an external label does not match. */
    private static @Nullable List<Matcher> strip(List<Matcher> matchers, Heartbeat h) {
        List<Matcher> left = new ArrayList<>(matchers.size());
        for (Matcher m : matchers) {
            String value = h.external().get(m.name());
            if (value.isEmpty()) {
                if (h.utf8Names() || io.varve.model.LabelNames.isLegacy(m.name())) {
                    left.add(m);
                } else if (!m.matchesEmpty()) {
                    // No series of an older Prometheus has such a label, and it could not read the selector.
                    return null;
                }
            } else if (!m.matches(value)) {
                return null;
            }
        }
        return left;
    }

    /**
     * Prometheus' HTTP API refuses selectors that match the empty string alone. Where that is so only because external labels were taken out, or where
     * remote read would have answered, a condition is added that every series satisfies.
     */
    private static List<Matcher> notEmpty(List<Matcher> matchers) {
        for (Matcher m : matchers) {
            if (!m.matchesEmpty()) {
                return matchers;
            }
        }
        List<Matcher> more = new ArrayList<>(matchers);
        more.add(HAS_NAME);
        return more;
    }

    @Override
    public void series(QueryContext context, SeriesRequest request, SeriesSink sink) {
        Heartbeat h = heartbeat.get();
        List<Matcher> matchers = strip(request.matchers(), h);
        if (matchers == null) {
            return;
        }
        if (matchers.isEmpty()) {
            throw new InvalidRequestException("no matchers specified (excluding external labels)");
        }
        long minTime = Math.max(request.minTime(), h.minTime());
        if (request.skipChunks()) {
            labelsOnly(context, request, h, matchers, minTime, sink);
            return;
        }
        SeriesOrder order = new SeriesOrder(h.external(), request.withoutReplicaLabels(), streaming(h, request.withoutReplicaLabels()),
                sink,
                context.budget(), request.limit());
        try {
            List<Matcher> local = new ArrayList<>(matchers);
            local.add(RemoteRead.LOCAL_ONLY);
            RemoteRead.Query query = new RemoteRead.Query(minTime, request.maxTime(), local, null);
            byte[] body = RemoteRead.write(new RemoteRead.Request(List.of(query),
                    List.of(RemoteRead.ResponseType.STREAMED_XOR_CHUNKS, RemoteRead.ResponseType.SAMPLES)));
            HttpResponse<InputStream> response = prometheus.read(context, compress(body));
            try (InputStream in = response.body()) {
                String type = response.headers().firstValue("Content-Type").orElse("");
                if (type.startsWith("application/x-streamed-protobuf")) {
                    streamed(context, in, request, order);
                } else if (type.startsWith("application/x-protobuf")) {
                    sampled(context, in, request, order);
                } else {
                    throw new UnavailableException("not supported remote read content type: " + type);
                }
            } catch (IOException e) {
                context.check();
                throw new UnavailableException("remote read from " + prometheus.address() + ": " + e.getMessage(), e);
            }
            order.finish();
        } finally {
            order.close();
        }
    }

    /** Whether no series can have a label that comes in or goes out, as far as the last heartbeat knows. */
    private static boolean streaming(Heartbeat h, List<String> without) {
        Set<String> names = h.labelNames();
        if (names == null) {
            return false;
        }
        for (int i = 0; i < h.external().size(); i++) {
            if (names.contains(h.external().name(i))) {
                return false;
            }
        }
        return without.stream().noneMatch(names::contains);
    }

    private void streamed(QueryContext context, InputStream in, SeriesRequest request, SeriesOrder order) throws IOException {
        RemoteRead.FrameReader reader = new RemoteRead.FrameReader(in, MAX_FRAME_BYTES, prometheus.address());
        ShardFilter shard = new ShardFilter(request.shard());
        long frames = 0;
        try {
            while (!order.full() && reader.next((index, labels, chunks) -> {
                Labels full = order.finalLabels(labels);
                if (shard.takes(full)) {
                    order.add(labels, new StoreSeries(full, wire(chunks)));
                }
            })) {
                frames++;
                context.check();
            }
        } finally {
            receivedFrames.observe(frames);
        }
    }

    private static List<StoreChunk> wire(List<Chunk> chunks) {
        List<StoreChunk> out = new ArrayList<>(chunks.size());
        for (Chunk c : chunks) {
            if (c.encoding() == Encoding.AGGREGATE) {
                throw new CorruptDataException("remote read", -1, "a chunk of downsampled data from Prometheus");
            }
            out.add(StoreChunk.raw(c));
        }
        return out;
    }

    private void sampled(QueryContext context, InputStream in, SeriesRequest request, SeriesOrder order) throws IOException {
        byte[] compressed = in.readNBytes(MAX_SAMPLED_BYTES + 1);
        if (compressed.length > MAX_SAMPLED_BYTES) {
            throw new LimitExceededException("sampled remote read", "answer of " + prometheus.address() + " is larger than "
                    + MAX_SAMPLED_BYTES + " bytes");
        }
        byte[] body = decompress(compressed, context.budget());
        ShardFilter shard = new ShardFilter(request.shard());
        try {
            RemoteRead.readSampled(body, prometheus.address(), (labels, floats, histograms) -> {
                context.check();
                Labels full = order.finalLabels(labels);
                if (!shard.takes(full)) {
                    return;
                }
                List<StoreChunk> chunks = new ArrayList<>();
                ChunkAppender appender = ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, c -> chunks.add(StoreChunk.raw(c)));
                encode(floats, histograms, appender);
                order.add(labels, new StoreSeries(full, chunks));
            });
        } finally {
            context.budget().release(body.length);
        }
    }

    private static void encode(SampleBuffer floats, List<RemoteRead.TimedHistogram> histograms, ChunkAppender appender) {
        int i = 0;
        int j = 0;
        while (i < floats.size || j < histograms.size()) {
            if (j >= histograms.size() || i < floats.size && floats.timestamps[i] <= histograms.get(j).timestamp()) {
                appender.append(floats.timestamps[i], floats.values[i]);
                i++;
            } else {
                RemoteRead.TimedHistogram h = histograms.get(j++);
                if (h.integer() != null) {
                    appender.append(0, h.timestamp(), h.integer());
                } else if (h.real() != null) {
                    appender.append(0, h.timestamp(), h.real());
                }
            }
        }
        appender.cut();
    }

    private void labelsOnly(QueryContext context, SeriesRequest request, Heartbeat h, List<Matcher> matchers, long minTime,
            SeriesSink sink) {
        MemoryBudget budget = context.budget();
        long reserved = 0;
        List<Labels> found = new ArrayList<>();
        Labels external = h.external().without(request.withoutReplicaLabels());
        try {
            Prometheus.Parameters p = new Prometheus.Parameters().add("match[]", selector(notEmpty(matchers))).time("start", minTime)
                    .time("end", request.maxTime());
            if (request.limit() > 0) {
                p.add("limit", Long.toString(request.limit()));
            }
            try (InputStream in = prometheus.postStream(context, "/api/v1/series", p); JsonParser json = Prometheus.JSON.createParser(in)) {
                for (JsonToken t = json.nextToken(); t != null; t = json.nextToken()) {
                    if (t == JsonToken.FIELD_NAME && json.currentName().equals("data") && json.getParsingContext().getParent().inRoot()) {
                        json.nextToken();
                        while (json.nextToken() == JsonToken.START_OBJECT) {
                            Labels.Builder b = new Labels.Builder();
                            long bytes = 100;
                            while (json.nextToken() == JsonToken.FIELD_NAME) {
                                String name = json.currentName();
                                String value = json.nextTextValue();
                                b.set(name, value == null ? "" : value);
                                bytes += 100 + name.length() + (value == null ? 0 : value.length());
                            }
                            budget.reserve(bytes, "labels of series");
                            reserved += bytes;
                            // As Thanos: labels of the series themselves stay, and a shard is not looked at.
                            found.add(b.build().overriddenBy(external));
                            context.check();
                        }
                    } else if (t == JsonToken.FIELD_NAME && json.currentName().equals("warnings")
                            && json.getParsingContext().getParent().inRoot()) {
                        json.nextToken();
                        while (json.nextToken() == JsonToken.VALUE_STRING) {
                            if (!ofLimit(json.getText())) {
                                sink.warning(json.getText());
                            }
                        }
                    }
                }
            } catch (IOException e) {
                context.check();
                throw new UnavailableException("series of " + prometheus.address() + ": " + e.getMessage(), e);
            }
            long sent = 0;
            for (Labels l : SeriesOrder.distinct(found)) {
                if (request.limit() > 0 && ++sent > request.limit()) {
                    break;
                }
                sink.series(new StoreSeries(l, List.of()));
            }
        } finally {
            budget.release(reserved);
        }
    }

    /** Prometheus' word that a limit which was asked for did its work. */
    private static boolean ofLimit(String warning) {
        return warning.contains("results truncated due to limit");
    }

    private static List<String> warnings(Prometheus.Answer answer) {
        return answer.warnings().stream().filter(w -> !ofLimit(w)).toList();
    }

    @Override
    public StringsResponse labelNames(QueryContext context, LabelNamesRequest request) {
        Heartbeat h = heartbeat.get();
        List<Matcher> matchers = strip(request.matchers(), h);
        if (matchers == null) {
            return new StringsResponse(List.of(), List.of(), List.of());
        }
        Prometheus.Parameters p = new Prometheus.Parameters().time("start", Math.max(request.minTime(), h.minTime()))
                .time("end", request.maxTime());
        match(p, matchers, request.matchers());
        if (request.limit() > 0) {
            p.add("limit", Long.toString(request.limit()));
        }
        Prometheus.Answer answer = prometheus.post(context, "/api/v1/labels", p);
        Set<String> all = new TreeSet<>(io.varve.model.Utf8Order::compare);
        answer.data().forEach(n -> all.add(n.asText()));
        // A Prometheus before 3.0 knows no limit.
        Set<String> names = new TreeSet<>(io.varve.model.Utf8Order::compare);
        names.addAll(cut(all, request.limit()));
        if (!names.isEmpty()) {
            h.external().forEach((name, value) -> names.add(name));
        }
        request.withoutReplicaLabels().forEach(names::remove);
        // The limit is Prometheus': external names come on top, and the querier cuts what it has merged.
        return new StringsResponse(List.copyOf(names), warnings(answer), List.of());
    }

    @Override
    public StringsResponse labelValues(QueryContext context, LabelValuesRequest request) {
        if (request.label().isEmpty()) {
            throw new InvalidRequestException("label name parameter cannot be empty");
        }
        StringsResponse none = new StringsResponse(List.of(), List.of(), List.of());
        if (request.withoutReplicaLabels().contains(request.label())) {
            return none;
        }
        Heartbeat h = heartbeat.get();
        List<Matcher> matchers = strip(request.matchers(), h);
        if (matchers == null) {
            return none;
        }
        long minTime = Math.max(request.minTime(), h.minTime());
        String external = h.external().get(request.label());
        if (!external.isEmpty()) {
            if (matchers.isEmpty()) {
                return new StringsResponse(List.of(external), List.of(), List.of());
            }
            Prometheus.Parameters p = new Prometheus.Parameters().time("start", minTime).time("end", request.maxTime());
            match(p, matchers, request.matchers());
            p.add("limit", "1");
            Prometheus.Answer answer = prometheus.post(context, "/api/v1/series", p);
            return answer.data().isEmpty() ? none : new StringsResponse(List.of(external), List.of(), List.of());
        }
        Prometheus.Parameters p = new Prometheus.Parameters().time("start", minTime).time("end", request.maxTime());
        match(p, matchers, request.matchers());
        if (request.limit() > 0) {
            p.add("limit", Long.toString(request.limit()));
        }
        Prometheus.Answer answer = prometheus.get(context, "/api/v1/label/" + pathSegment(request.label()) + "/values", p);
        Set<String> values = new TreeSet<>(io.varve.model.Utf8Order::compare);
        for (JsonNode v : answer.data()) {
            values.add(v.asText());
        }
        return new StringsResponse(cut(values, request.limit()), warnings(answer), List.of());
    }

    /** Adds the selector; one that external labels alone made empty is helped, one that came empty is Prometheus' to judge. */
    private static void match(Prometheus.Parameters p, List<Matcher> matchers, List<Matcher> asked) {
        if (!matchers.isEmpty()) {
            p.add("match[]", selector(matchers.size() < asked.size() ? notEmpty(matchers) : matchers));
        }
    }

    private static List<String> cut(Set<String> sorted, long limit) {
        List<String> all = new ArrayList<>(sorted);
        return limit > 0 && all.size() > limit ? List.copyOf(all.subList(0, Math.toIntExact(limit))) : all;
    }

    /** A label name in a path: what is no legacy name goes in Prometheus' value encoding of names. */
    private static String pathSegment(String label) {
        if (io.varve.model.LabelNames.isLegacy(label)) {
            return label;
        }
        StringBuilder sb = new StringBuilder("U__");
        label.codePoints().forEach(c -> {
            if (c == '_') {
                sb.append("__");
            } else if (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == ':') {
                sb.appendCodePoint(c);
            } else {
                sb.append('_').append(Integer.toHexString(c)).append('_');
            }
        });
        return sb.toString();
    }

    /** The matchers in PromQL. Prometheus reads U+FFFD, which values have where a target sent no UTF-8, only where it is escaped. */
    static String selector(List<Matcher> matchers) {
        StringBuilder sb = new StringBuilder("{");
        for (Matcher m : matchers) {
            if (sb.length() > 1) {
                sb.append(',');
            }
            sb.append(m);
        }
        return sb.append('}').toString().replace("\uFFFD", "\\ufffd");
    }

    static byte[] compress(byte[] body) {
        SnappyJavaCompressor snappy = new SnappyJavaCompressor();
        byte[] out = new byte[snappy.maxCompressedLength(body.length)];
        int n = snappy.compress(body, 0, body.length, out, 0, out.length);
        return java.util.Arrays.copyOf(out, n);
    }

    private byte[] decompress(byte[] compressed, MemoryBudget budget) {
        try {
            SnappyJavaDecompressor snappy = new SnappyJavaDecompressor();
            int length = snappy.getUncompressedLength(compressed, 0);
            if (length < 0 || length > 4L * MAX_SAMPLED_BYTES) {
                throw new CorruptDataException(prometheus.address(), 0, "snappy block of " + length + " bytes");
            }
            budget.reserve(length, "a sampled remote read answer");
            byte[] out = new byte[length];
            try {
                snappy.decompress(compressed, 0, compressed.length, out, 0, length);
            } catch (RuntimeException e) {
                budget.release(length);
                throw e;
            }
            return out;
        } catch (io.airlift.compress.v3.MalformedInputException e) {
            throw new CorruptDataException(prometheus.address(), 0, "snappy: " + e.getMessage(), e);
        }
    }
}
