package io.varve.sidecar;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.ErrorText;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file that says which blocks are in the bucket: {@code {"version":1,"uploaded":["<ULID>",…]}}, indented by tabs, replaced as a whole.
 * Prometheus may read it with {@code --storage.tsdb.delay-compact-file.path}.
 */
final class ShipperState {
    private static final Logger LOG = LoggerFactory.getLogger(ShipperState.class);
    private static final int MAX_BYTES = 64 << 20;

    private ShipperState() {
    }

    /** The blocks that the file names; none where it is missing or unreadable: the bucket knows anyway. */
    static Set<Ulid> read(Path file) {
        Set<Ulid> uploaded = new LinkedHashSet<>();
        try {
            if (Files.size(file) > MAX_BYTES) {
                throw new IOException("larger than " + MAX_BYTES + " bytes");
            }
            JsonNode root = Prometheus.JSON.readTree(Files.readAllBytes(file));
            if (root.path("version").asInt() != 1) {
                throw new IOException("unexpected version " + root.path("version").asText("none") + ", expected 1");
            }
            for (JsonNode id : root.path("uploaded")) {
                uploaded.add(Ulid.parse(id.asText()).orElseThrow(() -> new IOException("no ULID: " + id)));
            }
        } catch (NoSuchFileException e) {
            return Set.of();
        } catch (IOException | RuntimeException e) {
            LOG.atWarn().addKeyValue("file", file).addKeyValue("err", ErrorText.of(e))
                    .log("reading the shipper's file failed, starting from an empty one");
            return Set.of();
        }
        return uploaded;
    }

    /** Replaces the file. */
    static void write(Path file, Collection<Ulid> uploaded) throws IOException {
        StringBuilder sb = new StringBuilder("{\n\t\"version\": 1,\n\t\"uploaded\": ");
        if (uploaded.isEmpty()) {
            sb.append("null");
        } else {
            String separator = "[\n";
            for (Ulid id : uploaded) {
                sb.append(separator).append("\t\t\"").append(id).append('"');
                separator = ",\n";
            }
            sb.append("\n\t]");
        }
        sb.append("\n}\n");
        Path tmp = file.resolveSibling(file.getFileName() + ".tmp");
        try (var channel = java.nio.channels.FileChannel.open(tmp, java.nio.file.StandardOpenOption.CREATE,
                java.nio.file.StandardOpenOption.WRITE, java.nio.file.StandardOpenOption.TRUNCATE_EXISTING)) {
            java.nio.ByteBuffer bytes = java.nio.ByteBuffer.wrap(sb.toString().getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        }
        Files.move(tmp, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
}
