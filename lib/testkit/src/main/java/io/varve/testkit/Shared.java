package io.varve.testkit;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;

/**
 * Finds the data that real Prometheus and Thanos processes wrote, which live beside the project and not in it. The system
 * property {@code varve.shared} names their directory. Where it or a file is absent, one line on standard output says what was
 * skipped and the answer is empty, so that the tests of a lone checkout pass and say what they did not do:
 *
 * <pre>
 * Path file = Shared.golden("chunks/xor.jsonl.gz").orElse(null);
 * assumeTrue(file != null);
 * try (Stream&lt;JsonNode&gt; lines = Shared.jsonLines(file)) { ... }
 * </pre>
 *
 * Safe for many threads.
 */
public final class Shared {
    /** One line of the golden files is up to some megabytes. */
    private static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder().maxStringLength(256 << 20).maxNestingDepth(5000).build()).build())
            .build();

    private Shared() {
    }

    /** A file or directory below the shared directory, for instance {@code conformance/promqltest}; prints the skip line when absent. */
    public static Optional<Path> path(String relative) {
        String root = System.getProperty("varve.shared", "");
        if (!root.isEmpty()) {
            Path p = Path.of(root).resolve(relative);
            if (Files.exists(p)) {
                return Optional.of(p);
            }
        }
        System.out.println("skipped: no shared data at " + (root.isEmpty() ? "${varve.shared}" : root) + "/" + relative);
        return Optional.empty();
    }

    /** A file or directory below {@code golden/}; prints the skip line when absent. */
    public static Optional<Path> golden(String relative) {
        return path("golden/" + relative);
    }

    /** The documents of a file with one JSON document per line, packed when its name ends in {@code .gz}. Close the stream. */
    public static Stream<JsonNode> jsonLines(Path file) {
        BufferedReader reader = new BufferedReader(new InputStreamReader(open(file), StandardCharsets.UTF_8), 1 << 16);
        return reader.lines().filter(l -> !l.isBlank()).map(Shared::parse).onClose(() -> {
            try {
                reader.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    /** A file with one JSON document, packed when its name ends in {@code .gz}. */
    public static JsonNode json(Path file) {
        try (InputStream in = open(file)) {
            return JSON.readTree(in);
        } catch (IOException e) {
            throw new UncheckedIOException("reading " + file, e);
        }
    }

    /** All bytes of a file, unpacked when its name ends in {@code .gz}. */
    public static byte[] bytes(Path file) {
        try (InputStream in = open(file)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException("reading " + file, e);
        }
    }

    /** A document from text. */
    public static JsonNode parse(String json) {
        try {
            return JSON.readTree(json);
        } catch (IOException e) {
            throw new UncheckedIOException("parsing JSON", e);
        }
    }

    /** A double from the 16 hexadecimal digits of its bits, payload of a NaN included. */
    public static double bits(JsonNode node) {
        return Double.longBitsToDouble(Long.parseUnsignedLong(node.textValue(), 16));
    }

    /** A text, or the bytes of <code>{"hex": …}</code> read as UTF-8 with U+FFFD for every byte that is none. */
    public static String text(JsonNode node) {
        return node.isTextual() ? node.textValue() : new String(hex(node.get("hex").textValue()), StandardCharsets.UTF_8);
    }

    /** Bytes from hexadecimal digits. */
    public static byte[] hex(String digits) {
        return HexFormat.of().parseHex(digits);
    }

    private static InputStream open(Path file) {
        try {
            InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
            return file.toString().endsWith(".gz") ? new GZIPInputStream(in, 1 << 16) : in;
        } catch (IOException e) {
            throw new UncheckedIOException("opening " + file, e);
        }
    }
}
