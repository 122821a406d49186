package io.varve.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.Labels;
import io.varve.testkit.Shared;
import io.varve.testkit.TempTree;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Dumps of blocks that Prometheus wrote say what its library read from them; buckets are reckoned here anew from spans and schema. */
class GoldenDumpTest {
    private static final Pattern LINE = Pattern.compile("(\\{.*?\\}) (\\S+) (-?\\d+)\n", Pattern.DOTALL);

    private static final Pattern PAIR = Pattern.compile("(?:\\G, |^\\{)(.*?)=\"((?:[^\\\\\"]++|\\\\.)*+)\"", Pattern.DOTALL);
    private static final Pattern ESCAPE = Pattern.compile("\\\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)", Pattern.DOTALL);

    /** One bucket as the HTTP API says it. */
    private record Bucket(int boundaries, double lower, double upper, double count) {
    }

    private static List<String> dump(Path block, String... more) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> args = new ArrayList<>(List.of("block", "dump", block.toString()));
        args.addAll(List.of(more));
        int code = ToolsCommand.run(() -> new String[]{"varve, version 1"}, new PrintWriter(out), new PrintWriter(err, true),
                args.toArray(String[]::new));
        assertThat(code).as(err.toString()).isZero();
        return out.toString().lines().toList();
    }

    private static List<Path> list(Path directory) {
        try (Stream<Path> s = Files.list(directory)) {
            return s.sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void everyGoldenBlockIsDumpedAsItMustRead() {
        Path root = Shared.golden("blocks").orElse(null);
        assumeTrue(root != null);
        int histograms = 0;
        for (Path folder : list(root)) {
            for (Path kind : Files.isDirectory(folder) ? list(folder) : List.<Path>of()) {
                if (!Files.isDirectory(kind)) {
                    continue;
                }
                String k = kind.getFileName().toString();
                String suffix = k.equals("block") ? "" : "-" + k.replace("block-", "");
                // Deleted samples are left out of a dump.
                Path applied = folder.resolve("expected-applied.jsonl.gz");
                Path expected = suffix.isEmpty() && Files.exists(applied) ? applied : folder.resolve("expected" + suffix + ".jsonl.gz");
                try (Stream<JsonNode> lines = Shared.jsonLines(expected)) {
                    histograms += compare(folder.getFileName() + "/" + k, dump(list(kind).getFirst(), "--output", "json"), lines);
                }
            }
        }
        assertThat(histograms).isGreaterThan(5000);
    }

    /** Gives how many histograms there were. */
    private static int compare(String name, List<String> got, Stream<JsonNode> expected) {
        Iterator<String> lines = got.iterator();
        int histograms = 0;
        for (JsonNode want : (Iterable<JsonNode>) expected::iterator) {
            JsonNode line = Shared.parse(lines.next());
            assertThat(labels(line.get("labels"))).as(name).isEqualTo(labels(want.get("labels")));
            Iterator<JsonNode> floats = line.get("samples").iterator();
            Iterator<JsonNode> others = line.get("histograms").iterator();
            for (JsonNode s : samples(want)) {
                if (s.isArray()) {
                    JsonNode f = floats.next();
                    assertThat(f.get(0).longValue()).as(name).isEqualTo(s.get(0).longValue());
                    assertNumber(name, f.get(1), Shared.bits(s.get(1)));
                } else {
                    JsonNode h = others.next();
                    assertThat(h.get(0).longValue()).as(name).isEqualTo(s.get("t").longValue());
                    assertHistogram(name + " " + line.get("labels") + " at " + s.get("t"), h.get(1), s.get("h"));
                    histograms++;
                }
            }
            assertThat(floats.hasNext() || others.hasNext()).as(name + ": more samples than there are").isFalse();
        }
        assertThat(lines.hasNext()).as(name + ": more series than there are").isFalse();
        return histograms;
    }

    private static List<JsonNode> samples(JsonNode series) {
        if (series.has("samples")) {
            return series.get("samples").valueStream().toList();
        }
        return series.get("chunks").valueStream().flatMap(c -> c.get("samples").valueStream()).toList();
    }

    private static Labels labels(JsonNode node) {
        Labels.Builder b = new Labels.Builder();
        if (node.isObject()) {
            node.properties().forEach(e -> b.set(e.getKey(), e.getValue().textValue()));
        } else {
            node.forEach(p -> b.set(Shared.text(p.get(0)), Shared.text(p.get(1))));
        }
        return b.build();
    }

    private static double number(String text) {
        return switch (text) {
            case "+Inf" -> Double.POSITIVE_INFINITY;
            case "-Inf" -> Double.NEGATIVE_INFINITY;
            default -> Double.parseDouble(text);
        };
    }

    private static void assertNumber(String what, JsonNode got, double want) {
        assertThat(got.isTextual()).as(what).isTrue();
        // Any NaN is written in one way.
        assertThat(Double.doubleToLongBits(number(got.textValue()))).as(what).isEqualTo(Double.doubleToLongBits(want));
    }

    private static void assertHistogram(String what, JsonNode got, JsonNode h) {
        assertNumber(what, got.get("count"), count(h, h.get("count")));
        assertNumber(what, got.get("sum"), Shared.bits(h.get("sum")));
        List<Bucket> want = buckets(h);
        assertThat(got.path("buckets").size()).as(what).isEqualTo(want.size());
        assertThat(got.has("buckets")).as(what).isEqualTo(!want.isEmpty());
        for (int i = 0; i < want.size(); i++) {
            JsonNode b = got.get("buckets").get(i);
            Bucket w = want.get(i);
            assertThat(b.get(0).intValue()).as(what).isEqualTo(w.boundaries);
            assertBound(what, b.get(1), w.lower);
            assertBound(what, b.get(2), w.upper);
            assertNumber(what, b.get(3), w.count);
        }
    }

    private static void assertBound(String what, JsonNode got, double want) {
        double g = number(got.textValue());
        assertThat(g == want || Math.abs(g - want) <= Math.abs(want) * 1e-14).as(what + ": " + g + " is " + want).isTrue();
    }

    private static double count(JsonNode h, JsonNode number) {
        return h.get("kind").textValue().equals("float")
                ? Shared.bits(number)
                : number.isTextual() ? Double.parseDouble(number.textValue()) : number.doubleValue();
    }

    /** From below to above, without empty ones, cut off where the zero bucket begins. */
    private static List<Bucket> buckets(JsonNode h) {
        int schema = h.get("schema").intValue();
        double zero = Shared.bits(h.get("zero_threshold"));
        List<Bucket> out = new ArrayList<>();
        for (Bucket b : side(h, "neg", schema)) {
            out.addFirst(new Bucket(1, -b.upper, Math.min(-b.lower, -zero), b.count));
        }
        double zeroCount = count(h, h.get("zero_count"));
        if (zeroCount != 0) {
            out.add(new Bucket(3, -zero, zero, zeroCount));
        }
        for (Bucket b : side(h, "pos", schema)) {
            out.add(schema == -53 ? b : new Bucket(0, Math.max(b.lower, zero), b.upper, b.count));
        }
        return out;
    }

    private static List<Bucket> side(JsonNode h, String sign, int schema) {
        List<Bucket> out = new ArrayList<>();
        int index = 0;
        int k = 0;
        JsonNode counts = h.get(sign + "_counts");
        for (JsonNode span : h.get(sign + "_spans")) {
            index += span.get(0).intValue();
            for (int i = 0; i < span.get(1).intValue(); i++, index++) {
                double count = count(h, counts.get(k++));
                if (count != 0) {
                    // The first of custom buckets has all that lies below its upper bound.
                    out.add(new Bucket(schema == -53 && index == 0 ? 3 : 0, bound(h, schema, index - 1), bound(h, schema, index), count));
                }
            }
        }
        return out;
    }

    private static double bound(JsonNode h, int schema, int index) {
        if (schema != -53) {
            return schema > 0 ? Math.pow(2, index / (double) (1 << schema)) : Math.scalb(1.0, index << -schema);
        }
        JsonNode bounds = h.get("custom");
        return index < 0 ? Double.NEGATIVE_INFINITY : index < bounds.size() ? Shared.bits(bounds.get(index)) : Double.POSITIVE_INFINITY;
    }

    /** Floats, deletions and merged overlaps, as Prometheus' own tool prints them. Histograms it does not print. */
    @Test
    void dumpsOfFloatsAreThoseOfPromtool() throws IOException, InterruptedException {
        Path root = Shared.golden("blocks").orElse(null);
        boolean installed = Stream.of(System.getenv().getOrDefault("PATH", "").split(":"))
                .anyMatch(d -> Files.isExecutable(Path.of(d, "promtool")));
        if (!installed) {
            System.out.println("skipped: promtool is not installed (Debian: apt-get install prometheus)");
        }
        assumeTrue(root != null && installed);
        for (String name : List.of("floats/block", "labels/block", "tombstones/block", "compact3/compacted", "indexv1/block")) {
            Path block = list(root.resolve(name)).getFirst();
            try (TempTree tmp = TempTree.create()) {
                Path db = tmp.resolve("db");
                Files.createDirectories(db.resolve("wal"));
                TempTree.copy(block, db.resolve(block.getFileName().toString()));
                Path out = tmp.resolve("out.txt");
                Process p = new ProcessBuilder("promtool", "tsdb", "dump", db.toString()).redirectErrorStream(true)
                        .redirectOutput(out.toFile()).start();
                assertThat(p.waitFor()).isZero();
                // Names are printed as they are, with line feeds if they have some; numbers are made Java's.
                List<String> theirs = LINE.matcher(Files.readString(out, StandardCharsets.UTF_8)).results()
                        .map(m -> labels(m.group(1)) + " " + number(m.group(2)) + " " + m.group(3)).toList();
                List<String> ours = new ArrayList<>();
                for (String line : dump(block, "-o", "json")) {
                    JsonNode series = Shared.parse(line);
                    String labels = promtoolLabels(labels(series.get("labels")));
                    for (JsonNode s : series.get("samples")) {
                        ours.add(labels + " " + number(s.get(1).textValue()) + " " + s.get(0).longValue());
                    }
                }
                assertThat(ours).as(name).hasSizeGreaterThan(100).isEqualTo(theirs);
            }
        }
    }

    /** As promtool writes them, but for the escapes. */
    private static String promtoolLabels(Labels labels) {
        StringBuilder sb = new StringBuilder("{");
        for (int i = 0; i < labels.size(); i++) {
            sb.append(i > 0 ? ", " : "").append(labels.name(i)).append("=\"").append(labels.value(i)).append('"');
        }
        return sb.append('}').toString();
    }

    /** The same of a line of promtool's: names as they are, values without Go's quotes and escapes. */
    private static String labels(String line) {
        Matcher m = PAIR.matcher(line);
        StringBuilder sb = new StringBuilder("{");
        while (m.find()) {
            sb.append(sb.length() > 1 ? ", " : "").append(m.group(1)).append("=\"").append(plain(m.group(2))).append('"');
        }
        return sb.append('}').toString();
    }

    private static String plain(String quoted) {
        return ESCAPE.matcher(quoted).replaceAll(m -> {
            String e = m.group(1);
            String c = switch (e.charAt(0)) {
                case 'a' -> "\u0007";
                case 'b' -> "\b";
                case 'f' -> "\f";
                case 'n' -> "\n";
                case 'r' -> "\r";
                case 't' -> "\t";
                case 'v' -> "\u000B";
                case 'x', 'u', 'U' -> Character.toString(Integer.parseInt(e.substring(1), 16));
                default -> e;
            };
            return Matcher.quoteReplacement(c);
        });
    }
}
