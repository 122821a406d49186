package io.varve.block;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.varve.model.CorruptDataException;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/**
 * A marker file of a block: to be deleted, not to be compacted, not to be downsampled. Times are <b>seconds</b> since 1970. Format: Thanos
 * {@code metadata/markers.go}.
 *
 * @param kind which
 * @param id the block
 * @param details why, in words; may be empty
 * @param timeSeconds when it was marked
 * @param reason {@code manual} and the like; empty for deletion
 */
public record BlockMark(Kind kind, Ulid id, String details, long timeSeconds, String reason) {
    /** The only version there is. */
    public static final int VERSION = 1;

    /** The three files. */
    public enum Kind {
        /** To be deleted after a delay. */
        DELETION("deletion-mark.json", "deletion_time"),
        /** Left alone by compaction. */
        NO_COMPACT("no-compact-mark.json", "no_compact_time"),
        /** Left alone by downsampling. */
        NO_DOWNSAMPLE("no-downsample-mark.json", "no_downsample_time");

        private final String file;
        private final String timeField;

        Kind(String file, String timeField) {
            this.file = file;
            this.timeField = timeField;
        }

        /** The object's name inside the block. */
        public String file() {
            return file;
        }
    }

    private static final ObjectMapper JSON = new ObjectMapper();

    /** The marker's object in the bucket. */
    public static String key(Ulid id, Kind kind) {
        return id + "/" + kind.file;
    }

    /**
     * Reads a marker.
     *
     * @param name the object, for messages
     * @throws CorruptDataException where it is no marker of version 1
     */
    public static BlockMark parse(Kind kind, byte[] json, String name) {
        JsonNode n;
        try {
            n = JSON.readTree(json);
        } catch (IOException e) {
            throw new CorruptDataException(name, 0, "partial " + kind.file + ": no JSON", e);
        }
        if (n == null || !n.isObject()) {
            throw new CorruptDataException(name, 0, "partial " + kind.file + ": no JSON object");
        }
        int version = n.path("version").asInt(0);
        if (version != VERSION) {
            throw new CorruptDataException(name, 0, "unexpected " + kind.file + " version " + version + ", expected " + VERSION);
        }
        Ulid id = Ulid.parse(n.path("id").asText("")).orElseThrow(() -> new CorruptDataException(name, 0,
                "partial " + kind.file + ": id \"" + n.path("id").asText("") + "\" is no ULID"));
        JsonNode time = n.path(kind.timeField);
        // A deletion without a time would be due since 1970.
        if (!time.isMissingNode() && !time.canConvertToLong() || kind == Kind.DELETION && time.asLong(0) <= 0) {
            throw new CorruptDataException(name, 0,
                    "partial " + kind.file + ": " + kind.timeField + " is " + (time.isMissingNode() ? "missing" : time)
                            + ", expected seconds since 1970");
        }
        return new BlockMark(kind, id, n.path("details").asText(""), time.asLong(0), n.path("reason").asText(""));
    }

    /** The file's bytes. */
    public byte[] toJson() {
        var n = JSON.createObjectNode();
        n.put("id", id.toString());
        n.put("version", VERSION);
        if (!details.isEmpty()) {
            n.put("details", details);
        }
        n.put(kind.timeField, timeSeconds);
        if (kind != Kind.DELETION) {
            n.put("reason", reason);
        }
        return n.toString().getBytes(StandardCharsets.UTF_8);
    }
}
