package io.varve.tools;

import io.varve.chunk.AggregateChunk;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.Encoding;
import io.varve.model.FloatHistogram;
import io.varve.model.GoFloat;
import io.varve.model.InvalidRequestException;
import io.varve.model.JsonText;
import io.varve.model.LabelNames;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Writes series as text: OpenMetrics, or JSON with one line per series. One thread. */
final class BlockDump {
    private final PrintWriter out;
    private final long minTime;
    private final long maxTime;
    private final SampleBuffer samples = new SampleBuffer(1024);
    private final StringBuilder sb = new StringBuilder(1 << 16);
    private long histogramsLeftOut;

    BlockDump(PrintWriter out, long minTime, long maxTime) {
        this.out = out;
        this.minTime = minTime;
        this.maxTime = maxTime;
    }

    /** Histograms that the text form could not say. */
    long histogramsLeftOut() {
        return histogramsLeftOut;
    }

    private void decode(List<Chunk> chunks) {
        samples.clear();
        for (Chunk c : chunks) {
            ChunkDecoder.decode(c, minTime, maxTime, samples);
        }
    }

    private void flush() {
        out.append(sb);
        sb.setLength(0);
    }

    void openMetrics(ChunkSeries series) {
        if (!series.chunks().isEmpty() && series.chunks().getFirst().encoding() == Encoding.AGGREGATE) {
            throw new InvalidRequestException("a downsampled block has no form in OpenMetrics text: use --output json");
        }
        decode(series.chunks());
        StringBuilder name = new StringBuilder();
        appendSeries(name, series.labels());
        for (int i = 0; i < samples.size; i++) {
            if (samples.histogram(i) != null) {
                histogramsLeftOut++;
                continue;
            }
            sb.append(name).append(' ');
            GoFloat.appendSample(sb, samples.values[i]);
            sb.append(' ');
            JsonText.appendTimestamp(sb, samples.timestamps[i]);
            sb.append('\n');
        }
        flush();
    }

    /** {@code name{a="b"}}, or {@code {"a name",a="b"}} where the name is not of the old form. */
    static void appendSeries(StringBuilder sb, Labels labels) {
        String name = labels.metricName();
        boolean legacy = LabelNames.isLegacyMetric(name);
        if (legacy) {
            sb.append(name);
        }
        boolean any = false;
        if (!legacy && !name.isEmpty()) {
            sb.append('{');
            appendQuoted(sb, name);
            any = true;
        }
        for (int i = 0; i < labels.size(); i++) {
            if (labels.name(i).equals(Labels.METRIC_NAME)) {
                continue;
            }
            sb.append(any ? ',' : '{');
            any = true;
            if (LabelNames.isLegacy(labels.name(i))) {
                sb.append(labels.name(i));
            } else {
                appendQuoted(sb, labels.name(i));
            }
            sb.append('=');
            appendQuoted(sb, labels.value(i));
        }
        if (any) {
            sb.append('}');
        }
    }

    private static void appendQuoted(StringBuilder sb, String s) {
        sb.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            switch (c) {
                case '"' -> sb.append("\\\"");
                case '\\' -> sb.append("\\\\");
                case '\n' -> sb.append("\\n");
                default -> sb.append(c);
            }
        }
        sb.append('"');
    }

    void json(ChunkSeries series) {
        sb.append("{\"labels\":");
        JsonText.appendLabels(sb, series.labels());
        if (!series.chunks().isEmpty() && series.chunks().getFirst().encoding() == Encoding.AGGREGATE) {
            aggregates(series.chunks());
        } else {
            decode(series.chunks());
            sb.append(',');
            appendSamples();
        }
        sb.append("}\n");
        flush();
    }

    private void aggregates(List<Chunk> chunks) {
        sb.append(",\"aggregates\":{");
        boolean any = false;
        for (AggregateChunk.Part part : AggregateChunk.Part.values()) {
            List<Chunk> parts = new ArrayList<>();
            for (Chunk c : chunks) {
                Chunk p = AggregateChunk.parse(c).part(part);
                if (p != null) {
                    parts.add(p);
                }
            }
            if (!parts.isEmpty()) {
                decode(parts);
                sb.append(any ? ",\"" : "\"").append(part.name().toLowerCase(Locale.ROOT)).append("\":{");
                appendSamples();
                sb.append('}');
                any = true;
            }
        }
        sb.append('}');
    }

    private void appendSamples() {
        sb.append("\"samples\":[");
        boolean any = false;
        for (int i = 0; i < samples.size; i++) {
            if (samples.histogram(i) == null) {
                sb.append(any ? ",[" : "[").append(samples.timestamps[i]).append(',');
                JsonText.appendSample(sb, samples.values[i]);
                sb.append(']');
                any = true;
            }
        }
        sb.append("],\"histograms\":[");
        any = false;
        for (int i = 0; i < samples.size; i++) {
            FloatHistogram h = samples.histogram(i);
            if (h != null) {
                sb.append(any ? ",[" : "[").append(samples.timestamps[i]).append(',');
                JsonText.appendHistogram(sb, h);
                sb.append(']');
                any = true;
            }
        }
        sb.append(']');
    }
}
