package io.varve.storegateway;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.varve.block.BlockCatalog;
import io.varve.block.BlockMark;
import io.varve.model.VarveException;
import io.varve.objstore.Bucket;
import io.varve.objstore.ObjectBody;
import io.varve.runtime.BuildInfo;
import io.varve.runtime.http.Links;
import io.varve.runtime.http.Request;
import io.varve.runtime.http.Response;
import io.varve.runtime.http.Routes;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** {@code /api/v1/blocks} and its companions, as Thanos' block viewer asks for them, and a plain page that shows the blocks. */
final class BlocksApi {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final StoreGateway gateway;
    private final Bucket bucket;
    private final String label;
    private final boolean readOnly;

    BlocksApi(StoreGateway gateway, Bucket bucket, String label, boolean readOnly) {
        this.gateway = gateway;
        this.bucket = bucket;
        this.label = label == null ? "" : label;
        this.readOnly = readOnly;
    }

    Routes routes(boolean disabled, Links links, boolean cors, Map<String, String> flags) {
        if (disabled) {
            return Routes.none();
        }
        return Routes.builder().cors(cors).get("blocks", "/api/v1/blocks", this::blocks)
                .post("blocks_mark", "/api/v1/blocks/mark", this::mark)
                .get("status_flags", "/api/v1/status/flags", (q, r) -> sendData(r, JSON.valueToTree(flags)))
                .get("status_build", "/api/v1/status/buildinfo", (q, r) -> sendData(r, build()))
                .get("status_runtime", "/api/v1/status/runtimeinfo", (q, r) -> sendData(r, runtime()))
                .get("bucket-ui", "/", (q, r) -> page(q, r, links))
                .get("bucket-ui", "/blocks", (q, r) -> page(q, r, links))
                .get("bucket-ui", "/loaded", (q, r) -> page(q, r, links)).build();
    }

    private static void send(Response response, int status, ObjectNode body) throws IOException {
        response.status(status).header("Content-Type", "application/json").send(JSON.writeValueAsBytes(body));
    }

    private static void sendData(Response response, JsonNode data) throws IOException {
        ObjectNode n = JSON.createObjectNode();
        n.put("status", "success");
        n.set("data", data);
        send(response, 200, n);
    }

    private static void refuse(Response response, int status, String type, String text) throws IOException {
        ObjectNode n = JSON.createObjectNode();
        n.put("status", "error");
        n.put("errorType", type);
        n.put("error", text);
        response.header("Cache-Control", "no-store");
        send(response, status, n);
    }

    private void blocks(Request request, Response response) throws IOException {
        String view = Optional.ofNullable(request.parameter("view")).orElse("");
        BlockCatalog catalog = gateway.catalog();
        Collection<BlockMeta> metas = switch (view) {
            case "loaded" ->
                gateway.blocks().byId().values().stream().map(GatewayBlock::meta).sorted(Comparator.comparing(BlockMeta::ulid)).toList();
            case "global" -> catalog.all().values();
            default -> List.of();
        };
        ObjectNode data = JSON.createObjectNode();
        data.put("label", label);
        ArrayNode list = data.putArray("blocks");
        for (BlockMeta m : metas) {
            list.add(json(m));
        }
        data.put("refreshedAt", Instant.ofEpochMilli(catalog.syncedAtMillis()).toString());
        data.set("err", JSON.nullNode());
        sendData(response, data);
    }

    /** A block's meta.json, as Thanos shows it: one that no Thanos wrote gets an empty section. */
    static JsonNode json(BlockMeta meta) throws IOException {
        ObjectNode n = (ObjectNode) JSON.readTree(meta.toJson());
        if (!n.has("thanos")) {
            ObjectNode t = n.putObject("thanos").putNull("labels");
            t.putObject("downsample").put("resolution", 0);
            t.put("source", "").putObject("index_stats");
            t.put("upload_time", "0001-01-01T00:00:00Z");
        }
        return n;
    }

    private void mark(Request request, Response response) throws IOException {
        if (readOnly) {
            refuse(response, 400, "bad_data", "Admin operations are disabled");
            return;
        }
        String id = Optional.ofNullable(request.parameter("id")).orElse("");
        String action = Optional.ofNullable(request.parameter("action")).orElse("");
        String detail = Optional.ofNullable(request.parameter("detail")).orElse("");
        if (id.isEmpty()) {
            refuse(response, 400, "bad_data", "ID cannot be empty");
            return;
        }
        if (action.isEmpty()) {
            refuse(response, 400, "bad_data", "Action cannot be empty");
            return;
        }
        Optional<Ulid> ulid = Ulid.parse(id);
        if (ulid.isEmpty()) {
            refuse(response, 400, "bad_data", "ULID \"" + id + "\" is not valid");
            return;
        }
        BlockMark.Kind kind;
        switch (action) {
            case "DELETION" -> kind = BlockMark.Kind.DELETION;
            case "NO_COMPACTION" -> kind = BlockMark.Kind.NO_COMPACT;
            default -> {
                refuse(response, 400, "bad_data", "not supported marker " + action);
                return;
            }
        }
        try {
            String key = BlockMark.key(ulid.get(), kind);
            if (bucket.find(key).isEmpty()) {
                BlockMark mark = new BlockMark(kind, ulid.get(), detail, System.currentTimeMillis() / 1000,
                        kind == BlockMark.Kind.DELETION ? "" : "manual");
                bucket.upload(key, ObjectBody.of(mark.toJson()));
            }
        } catch (VarveException e) {
            refuse(response, 500, "internal", e.getMessage());
            return;
        }
        sendData(response, JSON.nullNode());
    }

    private static JsonNode build() {
        BuildInfo b = BuildInfo.current();
        ObjectNode n = JSON.createObjectNode();
        n.put("version", b.version());
        n.put("revision", b.revision());
        n.put("branch", b.branch());
        n.put("buildUser", "");
        n.put("buildDate", "");
        n.put("goVersion", "java" + Runtime.version());
        return n;
    }

    private static JsonNode runtime() {
        ObjectNode n = JSON.createObjectNode();
        n.put("startTime", Instant.ofEpochMilli(ManagementFactory.getRuntimeMXBean().getStartTime()).toString());
        n.put("CWD", Path.of("").toAbsolutePath().toString());
        // Not Thread.activeCount(): that is of the caller's group, which of a virtual thread is empty.
        n.put("goroutineCount", ManagementFactory.getThreadMXBean().getThreadCount());
        n.put("GOMAXPROCS", Runtime.getRuntime().availableProcessors());
        n.put("GOGC", "");
        n.put("GODEBUG", "");
        n.put("GOMEMLIMIT", Runtime.getRuntime().maxMemory());
        return n;
    }

    private void page(Request request, Response response, Links links) throws IOException {
        StringBuilder html = new StringBuilder(4096);
        html.append(
                "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>varve store: blocks</title><style>body{font:14px sans-serif;margin:2em}")
                .append("td,th{padding:.2em .8em;text-align:left;font-variant-numeric:tabular-nums}tr:nth-child(even){background:#f4f4f4}</style>")
                .append("<h1>Blocks</h1><p><a href=\"").append(escape(links.of(request, "/api/v1/blocks?view=loaded")))
                .append("\">as JSON</a></p>")
                .append("<table><tr><th>block<th>from<th>to<th>level<th>resolution<th>series<th>samples<th>labels</tr>");
        gateway.blocks().byId().values().stream().map(GatewayBlock::meta)
                .sorted(Comparator
                        .comparing((BlockMeta m) -> label.isEmpty() ? m.externalLabels().toString() : m.externalLabels().get(label))
                        .thenComparing(BlockMeta::minTime))
                .forEach(m -> html.append("<tr><td>").append(m.ulid()).append("<td>").append(Instant.ofEpochMilli(m.minTime()))
                        .append("<td>")
                        .append(Instant.ofEpochMilli(m.maxTime())).append("<td>").append(m.compaction().level()).append("<td>")
                        .append(m.resolutionMillis() / 1000).append(" s<td>").append(m.stats().series()).append("<td>")
                        .append(m.stats().samples())
                        .append("<td>").append(escape(m.externalLabels().toString())).append("</tr>"));
        html.append("</table><h2>Left out</h2><table><tr><th>block<th>state<th>why</tr>");
        gateway.catalog().dropped()
                .forEach((id, d) -> html.append("<tr><td>").append(id).append("<td>").append(d.state().label()).append("<td>")
                        .append(escape(d.detail())).append("</tr>"));
        html.append("</table></html>");
        response.status(200).header("Content-Type", "text/html; charset=utf-8").send(html.toString().getBytes(StandardCharsets.UTF_8));
    }

    private static String escape(String s) {
        return s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
}
