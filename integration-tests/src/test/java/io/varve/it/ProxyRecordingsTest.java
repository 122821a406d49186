package io.varve.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.proto.thanos.AggrChunk;
import io.varve.proto.thanos.ExemplarsGrpc;
import io.varve.proto.thanos.Label;
import io.varve.proto.thanos.LabelNamesResponse;
import io.varve.proto.thanos.LabelValuesResponse;
import io.varve.proto.thanos.QueryGrpc;
import io.varve.proto.thanos.QueryResponse;
import io.varve.proto.thanos.Series;
import io.varve.proto.thanos.SeriesResponse;
import io.varve.proto.thanos.StoreGrpc;
import io.varve.querier.QueryCommand;
import io.varve.runtime.ProcessRunner;
import io.varve.runtime.grpc.Channels;
import io.varve.storegateway.StoreCommand;
import io.varve.testkit.Shared;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What Thanos' querier answered over two store gateways, asked of ours over ours. The third endpoint of the recordings was a sidecar before a
 * live Prometheus; recordings of its times are left out, and so are requests that are nonsense, which Thanos answers with a fault of its own.
 */
class ProxyRecordingsTest {
    @TempDir
    Path dir;

    private static boolean skipped(String name) {
        // Times of the live Prometheus.
        return name.matches(".*/(realh|real|end|after)") || name.startsWith("rules/") || name.startsWith("targets/")
                || name.startsWith("metadata/") || name.equals("tsdbstats") || name.equals("info")
                // Thanos panics into a warning.
                || name.startsWith("series/res-1") || name.startsWith("series/batch-5")
                // Its stores cut postings before they look at times, and so answer too few.
                || name.startsWith("series/limit1") || name.equals("series/limit2-worepl/h2")
                // A range that ends before it begins holds nothing.
                || name.endsWith("/rev")
                // An instant query of a range: Thanos sends nothing.
                || name.startsWith("query/5-");
    }

    @Test
    void answersAsThanos() throws Exception {
        Path recorded = Shared.golden("thanos/storeapi/query.jsonl.gz").orElse(null);
        Path bucket = Shared.golden("thanos/buckets/ha-pair/2-downsampled").orElse(null);
        Path world = Shared.golden("thanos/world.json").orElse(null);
        assumeTrue(recorded != null && bucket != null && world != null);
        JsonNode w = Shared.json(world);
        Channels channels = new Channels(new PrometheusRegistry(), Channels.Compression.SNAPPY);
        List<String> failures = new ArrayList<>();
        int[] count = new int[1];
        try (ProcessRunner.Running a = store(bucket, w.get("ClusterLabel").asText(), w.get("Clusters").get(0).asText());
                ProcessRunner.Running b = store(bucket, w.get("ClusterLabel").asText(), w.get("Clusters").get(1).asText());
                ProcessRunner.Running q = ProcessRunner.launch(new QueryCommand(), "--http-address=127.0.0.1:0",
                        "--grpc-address=127.0.0.1:0", "--deduplication.func=penalty", "--endpoint=" + a.context().grpcAddress(),
                        "--endpoint=" + b.context().grpcAddress());
                Stream<JsonNode> lines = Shared.jsonLines(recorded)) {
            ManagedChannel channel = channels.open(q.context().grpcAddress());
            lines.filter(r -> !skipped(r.get("name").asText())).forEach(r -> {
                count[0]++;
                String why = compare(channel, r);
                if (!why.isEmpty()) {
                    failures.add(r.get("name").asText() + ": " + why);
                }
            });
            channel.shutdownNow();
        } finally {
            channels.close();
        }
        assertThat(failures).isEmpty();
        assertThat(count[0]).isGreaterThan(300);
    }

    private ProcessRunner.Running store(Path bucket, String label, String cluster) throws Exception {
        Path data = Files.createDirectory(dir.resolve("store-" + cluster));
        ProcessRunner.Running r = ProcessRunner.launch(new StoreCommand(), "--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0",
                "--data-dir=" + data,
                "--objstore.config={type: FILESYSTEM, config: {directory: \"" + bucket + "\"}}",
                "--selector.relabel-config=[{action: keep, source_labels: [" + label + "], regex: \"" + cluster + "\"}]");
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (!r.context().probes().isReady()) {
            assertThat(System.nanoTime()).as("the store gateway gets ready").isLessThan(deadline);
            LockSupport.parkNanos(10_000_000);
        }
        return r;
    }

    private static String compare(ManagedChannel channel, JsonNode r) {
        String method = r.get("method").asText();
        List<byte[]> want = new ArrayList<>();
        r.get("frames").forEach(f -> want.add(Shared.hex(f.get("hex").asText())));
        List<byte[]> got = new ArrayList<>();
        Status.Code code = Status.Code.OK;
        try {
            call(channel, method, Shared.hex(r.get("request_hex").asText()), got);
        } catch (StatusRuntimeException e) {
            code = e.getStatus().getCode();
        } catch (InvalidProtocolBufferException e) {
            return e.toString();
        }
        if (!code.name().replace("_", "").equalsIgnoreCase(r.get("code").asText())) {
            return code + " instead of " + r.get("code").asText();
        }
        if (code != Status.Code.OK) {
            return "";
        }
        try {
            return switch (method.substring(method.lastIndexOf('/') + 1)) {
                case "Series" -> differs(series(want), series(got));
                case "LabelNames" -> differs(LabelNamesResponse.parseFrom(want.getFirst()).getNamesList(),
                        LabelNamesResponse.parseFrom(got.getFirst()).getNamesList());
                case "LabelValues" -> differs(LabelValuesResponse.parseFrom(want.getFirst()).getValuesList(),
                        LabelValuesResponse.parseFrom(got.getFirst()).getValuesList());
                case "Query", "QueryRange" -> results(want, got);
                default -> want.size() == got.size() ? "" : got.size() + " frames instead of " + want.size();
            };
        } catch (InvalidProtocolBufferException e) {
            return e.toString();
        }
    }

    private static String differs(Object want, Object got) {
        return want.equals(got) ? "" : abbreviated(got) + " instead of " + abbreviated(want);
    }

    private static String abbreviated(Object o) {
        String s = o.toString();
        return s.length() > 300 ? s.substring(0, 300) + "..." : s;
    }

    private static void call(ManagedChannel channel, String method, byte[] request, List<byte[]> frames)
            throws InvalidProtocolBufferException {
        switch (method) {
            case "/thanos.Store/Series" ->
                call(channel, StoreGrpc.getSeriesMethod(), io.varve.proto.thanos.SeriesRequest.parseFrom(request), frames);
            case "/thanos.Store/LabelNames" ->
                call(channel, StoreGrpc.getLabelNamesMethod(), io.varve.proto.thanos.LabelNamesRequest.parseFrom(request), frames);
            case "/thanos.Store/LabelValues" ->
                call(channel, StoreGrpc.getLabelValuesMethod(), io.varve.proto.thanos.LabelValuesRequest.parseFrom(request), frames);
            case "/thanos.Exemplars/Exemplars" ->
                call(channel, ExemplarsGrpc.getExemplarsMethod(), io.varve.proto.thanos.ExemplarsRequest.parseFrom(request), frames);
            case "/thanos.Query/Query" ->
                call(channel, QueryGrpc.getQueryMethod(), io.varve.proto.thanos.QueryRequest.parseFrom(request), frames);
            case "/thanos.Query/QueryRange" ->
                call(channel, QueryGrpc.getQueryRangeMethod(), io.varve.proto.thanos.QueryRangeRequest.parseFrom(request), frames);
            default -> throw new IllegalArgumentException(method);
        }
    }

    private static <Q, A extends MessageLite> void call(ManagedChannel channel, MethodDescriptor<Q, A> method, Q request,
            List<byte[]> frames) {
        CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(java.time.Duration.ofSeconds(60));
        if (method.getType() == MethodDescriptor.MethodType.UNARY) {
            frames.add(ClientCalls.blockingUnaryCall(channel, method, options, request).toByteArray());
            return;
        }
        Iterator<A> all = ClientCalls.blockingServerStreamingCall(channel, method, options, request);
        all.forEachRemaining(a -> frames.add(a.toByteArray()));
    }

    /** Series in order, each with its chunks in any order, and whether there was a warning. */
    private static List<Object> series(List<byte[]> frames) throws InvalidProtocolBufferException {
        Map<List<Label>, TreeSet<String>> out = new LinkedHashMap<>();
        boolean warned = false;
        for (byte[] f : frames) {
            SeriesResponse r = SeriesResponse.parseFrom(f);
            List<Series> all = new ArrayList<>(r.getBatch().getSeriesList());
            if (r.hasSeries()) {
                all.add(r.getSeries());
            }
            warned |= !r.getWarning().isEmpty();
            for (Series s : all) {
                TreeSet<String> chunks = out.computeIfAbsent(s.getLabelsList(), k -> new TreeSet<>());
                for (AggrChunk c : s.getChunksList()) {
                    chunks.add(c.toString());
                }
            }
        }
        return List.of(new ArrayList<>(out.entrySet()), warned);
    }

    /** Values within 1e-9, in the same order; the numbers of samples are counted otherwise. Both kinds of answer have the same fields. */
    private static String results(List<byte[]> wantFrames, List<byte[]> gotFrames) throws InvalidProtocolBufferException {
        Map<String, List<Double>> want = points(wantFrames);
        Map<String, List<Double>> got = points(gotFrames);
        if (!List.copyOf(want.keySet()).equals(List.copyOf(got.keySet()))) {
            return abbreviated(got.keySet()) + " instead of " + abbreviated(want.keySet());
        }
        for (Map.Entry<String, List<Double>> e : want.entrySet()) {
            List<Double> g = got.getOrDefault(e.getKey(), List.of());
            if (g.size() != e.getValue().size()) {
                return e.getKey() + ": " + g.size() + " instead of " + e.getValue().size();
            }
            for (int i = 0; i < g.size(); i++) {
                double x = e.getValue().get(i);
                if (Double.compare(x, g.get(i)) != 0 && !(Math.abs(x - g.get(i)) <= 1e-9 * Math.abs(x))) {
                    return e.getKey() + ": " + abbreviated(g) + " instead of " + abbreviated(e.getValue());
                }
            }
        }
        return "";
    }

    private static Map<String, List<Double>> points(List<byte[]> frames) throws InvalidProtocolBufferException {
        Map<String, List<Double>> out = new LinkedHashMap<>();
        for (byte[] f : frames) {
            QueryResponse r = QueryResponse.parseFrom(f);
            var all = new ArrayList<>(r.getTimeseriesBatch().getSeriesList());
            if (r.hasTimeseries()) {
                all.add(r.getTimeseries());
            }
            if (!r.getWarnings().isEmpty()) {
                out.computeIfAbsent("warned", k -> new ArrayList<>());
            }
            all.forEach(s -> {
                List<Double> points = out.computeIfAbsent(s.getLabelsList().toString(), k -> new ArrayList<>());
                s.getSamplesList().forEach(p -> {
                    points.add((double) p.getTimestamp());
                    points.add(p.getValue());
                });
                s.getHistogramsList().forEach(h -> {
                    points.add((double) h.getTimestamp());
                    points.add(h.getSum());
                    points.add(h.getCountFloat());
                    points.addAll(h.getPositiveCountsList());
                });
            });
        }
        return out;
    }
}
