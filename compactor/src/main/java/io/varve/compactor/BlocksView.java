package io.varve.compactor;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.varve.block.BlockCatalog;
import io.varve.block.BlockMark;
import io.varve.model.VarveException;
import io.varve.runtime.http.Request;
import io.varve.runtime.http.Response;
import io.varve.runtime.http.Routes;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** {@code /api/v1/blocks}: the blocks of the bucket ({@code view=global}) and those the compactor works with ({@code view=loaded}); marking. */
final class BlocksView {
    private static final ObjectMapper JSON = new JsonMapper();

    private final Supplier<BlockCatalog> global;
    private final Supplier<BlockCatalog> loaded;
    private final Marker marker;
    private final String label;
    private final boolean adminDisabled;

    BlocksView(Supplier<BlockCatalog> global, Supplier<BlockCatalog> loaded, Marker marker, String label, boolean adminDisabled) {
        this.global = global;
        this.loaded = loaded;
        this.marker = marker;
        this.label = label;
        this.adminDisabled = adminDisabled;
    }

    void route(Routes.Builder routes) {
        routes.get("blocks", "/api/v1/blocks", this::blocks);
        routes.post("blocks_mark", "/api/v1/blocks/mark", this::mark);
    }

    private void blocks(Request request, Response response) throws IOException {
        String view = Optional.ofNullable(request.parameter("view")).orElse("global");
        boolean all = !view.equals("loaded");
        BlockCatalog catalog = all ? global.get() : loaded.get();
        Collection<BlockMeta> metas = all ? catalog.all().values() : catalog.blocks().values().stream().map(b -> b.meta()).toList();
        ObjectNode data = JSON.createObjectNode();
        data.put("label", label);
        var blocks = data.putArray("blocks");
        for (BlockMeta m : metas) {
            blocks.add(json(m));
        }
        data.put("refreshedAt", Instant.ofEpochMilli(catalog.syncedAtMillis()).toString());
        data.putNull("err");
        answer(response, 200, JSON.createObjectNode().put("status", "success").set("data", data));
    }

    private static JsonNode json(BlockMeta meta) {
        try {
            return JSON.readTree(meta.toJson());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private void mark(Request request, Response response) throws IOException {
        if (adminDisabled) {
            error(response, 400, "bad_data", "Admin operations are disabled");
            return;
        }
        String id = Optional.ofNullable(request.parameter("id")).orElse("");
        String action = Optional.ofNullable(request.parameter("action")).orElse("");
        String detail = Optional.ofNullable(request.parameter("detail")).orElse("");
        if (id.isEmpty()) {
            error(response, 400, "bad_data", "ID cannot be empty");
            return;
        }
        if (action.isEmpty()) {
            error(response, 400, "bad_data", "Action cannot be empty");
            return;
        }
        Optional<Ulid> ulid = Ulid.parse(id);
        if (ulid.isEmpty()) {
            error(response, 400, "bad_data", "ULID \"" + id + "\" is not valid");
            return;
        }
        if (!List.of("DELETION", "NO_COMPACTION").contains(action)) {
            error(response, 400, "bad_data", "not supported marker " + action);
            return;
        }
        try {
            if (action.equals("DELETION")) {
                marker.mark(BlockMark.Kind.DELETION, ulid.get(), detail, "");
            } else {
                marker.mark(BlockMark.Kind.NO_COMPACT, ulid.get(), detail, "manual");
            }
        } catch (VarveException e) {
            error(response, 400, "bad_data", e.getMessage());
            return;
        }
        answer(response, 200, JSON.createObjectNode().put("status", "success").putNull("data"));
    }

    private static void error(Response response, int status, String type, String message) throws IOException {
        answer(response, status, JSON.createObjectNode().put("status", "error").put("errorType", type).put("error", message));
    }

    private static void answer(Response response, int status, JsonNode body) throws IOException {
        try {
            response.status(status).header("Content-Type", "application/json");
            response.body().write(JSON.writeValueAsString(body).getBytes(StandardCharsets.UTF_8));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
