package io.varve.tools;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.varve.chunk.Encoding;
import io.varve.model.Labels;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockReader;
import io.varve.tsdb.index.IndexReader;
import io.varve.tsdb.index.Postings;
import io.varve.tsdb.index.SeriesEntry;
import io.varve.tsdb.index.Toc;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.LongConsumer;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/**
 * What a person wants to know of a block: sizes, and which metrics and labels have most series, bytes and churn. Churn is counted
 * as promtool does: for each series the part of the block's range that it does not cover, so that 3 means as much as three series that
 * were never there.
 */
final class BlockInspection {
    /**
     * Sums over the series of one metric, label name or pair.
     */
    static final class Group {
        final String name;
        long series;
        long chunks;
        long bytes;
        double churn;
        long values;
        long valueBytes;

        Group(String name) {
            this.name = name;
        }

        private void add(long addedChunks, long addedBytes, double addedChurn) {
            series++;
            chunks += addedChunks;
            bytes += addedBytes;
            churn += addedChurn;
        }
    }

    private final BlockReader block;
    private final Map<String, Group> metrics = new HashMap<>();
    private final Map<String, Group> names = new HashMap<>();
    private final Map<Long, Group> pairs = new HashMap<>();
    private final Map<Encoding, Long> encodings = new EnumMap<>(Encoding.class);
    private long series;
    private long chunks;
    private long bytes;
    private double churn;
    private long minTime = Long.MAX_VALUE;
    private long maxTime = Long.MIN_VALUE;

    BlockInspection(BlockReader block) {
        this.block = block;
    }

    /** Reads the index and the lengths of all chunks. */
    void run(LongConsumer progress) {
        IndexReader index = block.index();
        double range = Math.max(1, block.meta().maxTime() - block.meta().minTime());
        SeriesEntry e = new SeriesEntry();
        Postings all = index.allPostings();
        for (long id = all.next(); id != Postings.NO_MORE; id = all.next()) {
            index.series(id, e);
            long size = block.chunkBytes(e);
            for (int i = 0; i < e.chunkCount; i++) {
                encodings.merge(block.encoding(e.refs[i]), 1L, Long::sum);
            }
            double uncovered = 0;
            if (e.chunkCount > 0) {
                long first = e.minTimes[0];
                long last = e.maxTimes[e.chunkCount - 1];
                uncovered = (range - (last - first)) / range;
                minTime = Math.min(minTime, first);
                maxTime = Math.max(maxTime, last);
            }
            Labels labels = index.labels(e);
            metrics.computeIfAbsent(labels.metricName(), Group::new).add(e.chunkCount, size, uncovered);
            for (int i = 0; i < e.labelCount; i++) {
                names.computeIfAbsent(index.symbols().text(e.names[i] & 0xFFFFFFFFL), Group::new).add(e.chunkCount, size, uncovered);
                long pair = (long) e.names[i] << 32 | e.values[i] & 0xFFFFFFFFL;
                Group g = pairs.get(pair);
                if (g == null) {
                    g = new Group(index.symbols().text(pair >>> 32) + "=" + index.symbols().text(pair & 0xFFFFFFFFL));
                    pairs.put(pair, g);
                }
                g.add(e.chunkCount, size, uncovered);
            }
            series++;
            chunks += e.chunkCount;
            bytes += size;
            churn += uncovered;
            if (series % 1024 == 0) {
                progress.accept(series);
            }
        }
        for (String name : index.labelNames()) {
            Group g = names.computeIfAbsent(name, Group::new);
            index.table().visit(name, "", (value, start, end) -> {
                g.values++;
                g.valueBytes += value.getBytes(StandardCharsets.UTF_8).length;
                return true;
            });
        }
    }

    private static List<Group> top(Iterable<Group> groups, int limit, ToDoubleFunction<Group> by) {
        List<Group> out = new ArrayList<>();
        groups.forEach(out::add);
        out.sort(Comparator.comparingDouble(by).reversed().thenComparing(g -> g.name));
        return out.subList(0, Math.min(limit, out.size()));
    }

    private long fileSize(String name) {
        Path p = block.directory().resolve(name);
        try {
            return Files.exists(p) ? Files.size(p) : 0;
        } catch (IOException e) {
            return 0;
        }
    }

    ObjectNode json(int limit) {
        BlockMeta m = block.meta();
        Toc toc = block.index().toc();
        ObjectNode n = JsonNodeFactory.instance.objectNode();
        n.put("ulid", m.ulid().toString());
        n.put("minTime", m.minTime());
        n.put("maxTime", m.maxTime());
        if (series > 0 && chunks > 0) {
            n.put("firstSample", minTime).put("lastSample", maxTime);
        }
        n.put("level", m.compaction().level());
        n.put("sources", m.compaction().sources().size());
        n.put("resolutionMillis", m.resolutionMillis());
        ObjectNode external = n.putObject("externalLabels");
        m.externalLabels().forEach(external::put);
        n.put("source", m.thanosSection().map(BlockMeta.Thanos::source).orElse(""));
        n.put("series", series).put("chunks", chunks).put("samples", m.stats().samples()).put("floatSamples", m.stats().floatSamples())
                .put("histogramSamples", m.stats().histogramSamples()).put("tombstones", block.tombstones().intervals());
        n.put("churn", round(churn));
        n.put("labelNames", block.index().labelNames().size()).put("labelPairs", pairs.size())
                .put("symbols", block.index().symbols().size());
        n.put("chunkBytes", bytes).put("segmentFiles", block.segmentCount());
        if (m.stats().samples() > 0) {
            n.put("bytesPerSample", Math.round(1000.0 * bytes / m.stats().samples()) / 1000.0);
        }
        ObjectNode byEncoding = n.putObject("chunksByEncoding");
        encodings.forEach((encoding, count) -> byEncoding.put(encoding.name(), count));
        ObjectNode index = n.putObject("index");
        index.put("version", block.index().version()).put("bytes", block.index().size()).put("symbolBytes", toc.series() - toc.symbols())
                .put("seriesBytes", toc.seriesEnd() - toc.series()).put("postingsBytes", toc.postingsTable() - toc.postings())
                .put("postingsOffsetTableBytes", block.index().size() - Toc.SIZE - toc.postingsTable());
        n.put("tombstoneBytes", fileSize("tombstones")).put("metaBytes", fileSize(BlockMeta.FILE));
        ObjectNode byMetric = n.putObject("metrics");
        byMetric.set("bySeries", list(top(metrics.values(), limit, g -> g.series), false));
        byMetric.set("byBytes", list(top(metrics.values(), limit, g -> g.bytes), false));
        byMetric.set("byChurn", list(top(metrics.values(), limit, g -> g.churn), false));
        ObjectNode byName = n.putObject("labels");
        byName.set("bySeries", list(top(names.values(), limit, g -> g.series), true));
        byName.set("byBytes", list(top(names.values(), limit, g -> g.bytes), true));
        byName.set("byChurn", list(top(names.values(), limit, g -> g.churn), true));
        byName.set("byValues", list(top(names.values(), limit, g -> g.values), true));
        byName.set("byValueBytes", list(top(names.values(), limit, g -> g.valueBytes), true));
        ObjectNode byPair = n.putObject("pairs");
        byPair.set("bySeries", list(top(pairs.values(), limit, g -> g.series), false));
        byPair.set("byBytes", list(top(pairs.values(), limit, g -> g.bytes), false));
        byPair.set("byChurn", list(top(pairs.values(), limit, g -> g.churn), false));
        return n;
    }

    private static double round(double v) {
        return Math.round(v * 1000) / 1000.0;
    }

    private static ArrayNode list(List<Group> groups, boolean withValues) {
        ArrayNode out = JsonNodeFactory.instance.arrayNode();
        for (Group g : groups) {
            ObjectNode o = out.addObject().put("name", g.name).put("series", g.series).put("chunks", g.chunks).put("bytes", g.bytes)
                    .put("churn", round(g.churn));
            if (withValues) {
                o.put("values", g.values).put("valueBytes", g.valueBytes);
            }
        }
        return out;
    }

    String text(int limit) {
        BlockMeta m = block.meta();
        StringBuilder sb = new StringBuilder();
        line(sb, "Block", m.ulid() + "  " + block.directory());
        line(sb, "Range", Instant.ofEpochMilli(m.minTime()) + " to " + Instant.ofEpochMilli(m.maxTime()) + ", "
                + duration(m.maxTime() - m.minTime()));
        if (chunks > 0) {
            line(sb, "Samples from", Instant.ofEpochMilli(minTime) + " to " + Instant.ofEpochMilli(maxTime));
        }
        line(sb, "Level", m.compaction().level() + ", of " + BlockCommand.count(m.compaction().sources().size(), "source"));
        BlockMeta.Thanos t = m.thanos();
        if (t != null) {
            line(sb, "External labels", t.labels().toString());
            line(sb, "Resolution", t.resolutionMillis() == 0 ? "raw" : duration(t.resolutionMillis()));
            line(sb, "Made by", t.source());
        }
        line(sb, "Series", String.format(Locale.ROOT, "%,d, churn %.1f (for each series the part of the range that it does not cover)",
                series, churn));
        line(sb, "Chunks",
                String.format(Locale.ROOT, "%,d in %s, %s", chunks, BlockCommand.count(block.segmentCount(), "file"), size(bytes)));
        if (chunks > 0) {
            line(sb, "Encodings", encodings.entrySet().stream().map(e -> String.format(Locale.ROOT, "%s %,d", e.getKey(), e.getValue()))
                    .collect(Collectors.joining(", ")));
        }
        line(sb, "Samples", String.format(Locale.ROOT, "%,d%s%s", m.stats().samples(), kinds(m),
                m.stats().samples() == 0
                        ? ""
                        : String.format(Locale.ROOT, ", %.2f bytes each, %.1f per chunk", (double) bytes / m.stats().samples(),
                                (double) m.stats().samples() / Math.max(1, chunks))));
        line(sb, "Deleted",
                BlockCommand.count(block.tombstones().intervals(), "interval") + " in " + block.tombstones().bySeries().size() + " series");
        Toc toc = block.index().toc();
        line(sb, "Index",
                "version " + block.index().version() + ", " + size(block.index().size()) + ": symbols " + size(toc.series() - toc.symbols())
                        + ", series " + size(toc.seriesEnd() - toc.series()) + ", postings " + size(toc.postingsTable() - toc.postings())
                        + ", offset table "
                        + size(block.index().size() - Toc.SIZE - toc.postingsTable()));
        line(sb, "Labels", String.format(Locale.ROOT, "%,d names, %,d pairs, %,d symbols", block.index().labelNames().size(), pairs.size(),
                block.index().symbols().size()));
        table(sb, "Metrics with most series", top(metrics.values(), limit, g -> g.series), false);
        table(sb, "Metrics with most bytes", top(metrics.values(), limit, g -> g.bytes), false);
        table(sb, "Metrics with most churn", top(metrics.values(), limit, g -> g.churn), false);
        table(sb, "Label names with most series", top(names.values(), limit, g -> g.series), true);
        table(sb, "Label names with most bytes", top(names.values(), limit, g -> g.bytes), true);
        table(sb, "Label names with most churn", top(names.values(), limit, g -> g.churn), true);
        table(sb, "Label names with most values", top(names.values(), limit, g -> g.values), true);
        table(sb, "Label pairs with most series", top(pairs.values(), limit, g -> g.series), false);
        table(sb, "Label pairs with most churn", top(pairs.values(), limit, g -> g.churn), false);
        return sb.toString();
    }

    /** Old Prometheus versions do not say which kind samples are of; downsampled blocks keep the numbers of the raw ones. */
    private static String kinds(BlockMeta m) {
        BlockMeta.Stats s = m.stats();
        if (s.floatSamples() + s.histogramSamples() == 0) {
            return "";
        }
        return String.format(Locale.ROOT,
                m.resolutionMillis() == 0 ? " (%,d floats, %,d histograms)" : " (made of %,d floats and %,d histograms)",
                s.floatSamples(), s.histogramSamples());
    }

    private static void line(StringBuilder sb, String key, String value) {
        sb.append(String.format(Locale.ROOT, "%-16s %s%n", key, value));
    }

    private static void table(StringBuilder sb, String title, List<Group> groups, boolean withValues) {
        if (groups.isEmpty()) {
            return;
        }
        sb.append(String.format(Locale.ROOT, "%n%s%n", title));
        sb.append(String.format(Locale.ROOT, "%12s %12s %10s %10s%s  %s%n", "series", "bytes", "chunks", "churn",
                withValues ? String.format("%10s", "values") : "",
                "name"));
        for (Group g : groups) {
            String name = g.name.isEmpty() ? "(none)" : printable(g.name);
            sb.append(String.format(Locale.ROOT, "%,12d %12s %,10d %,10.1f%s  %s%n", g.series, size(g.bytes), g.chunks, g.churn,
                    withValues ? String.format(Locale.ROOT, "%,10d", g.values) : "", name));
        }
    }

    /** On one line and at most 100 characters. */
    private static String printable(String s) {
        StringBuilder sb = new StringBuilder();
        s.codePoints().limit(100).forEach(c -> sb.appendCodePoint(Character.isISOControl(c) ? '\uFFFD' : c));
        return s.codePointCount(0, s.length()) > 100 ? sb.append('…').toString() : sb.toString();
    }

    static String size(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        int unit = Math.min(4, (63 - Long.numberOfLeadingZeros(bytes)) / 10);
        return String.format(Locale.ROOT, "%.1f %ciB", bytes / Math.pow(1024, unit), "KMGT".charAt(unit - 1));
    }

    static String duration(long millis) {
        long s = millis / 1000;
        StringBuilder sb = new StringBuilder();
        if (s >= 86_400) {
            sb.append(s / 86_400).append("d ");
        }
        if (s >= 3600 && s % 86_400 / 3600 > 0) {
            sb.append(s % 86_400 / 3600).append("h ");
        }
        if (s % 3600 / 60 > 0) {
            sb.append(s % 3600 / 60).append("m ");
        }
        if (millis % 60_000 != 0 || sb.isEmpty()) {
            sb.append(millis % 60_000 / 1000.0).append("s ");
        }
        return sb.toString().strip();
    }
}
