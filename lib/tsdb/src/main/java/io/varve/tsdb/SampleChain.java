package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.Encoding;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.SampleCursor;
import io.varve.model.SampleCursor.Kind;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Merges the samples of overlapping chunks by time: it stays with one chunk while its samples come first, and of several samples
 * at one time the one that is met first survives. A histogram that comes from another chunk than the sample before cannot be
 * compared with it: its hint becomes unknown, unless it is a gauge. A chunk holds samples that all have a start timestamp, or none that has.
 */
final class SampleChain {
    private static final Comparator<SampleCursor> BY_TIME = Comparator.comparingLong(SampleCursor::timestamp);

    private final MinHeap<SampleCursor> heap = new MinHeap<>(BY_TIME);
    private @Nullable SampleCursor current;
    private Kind kind = Kind.END;
    private long lastTime = Long.MIN_VALUE;
    private boolean any;
    private boolean consecutive;

    static List<Chunk> merge(Labels labels, List<Chunk> overlapping) {
        for (Chunk c : overlapping) {
            if (c.encoding() == Encoding.AGGREGATE) {
                throw new InvalidRequestException("downsampled chunks of " + labels + " overlap at " + c.minTime()
                        + ": they need a merge of their own");
            }
        }
        List<Chunk> out = new ArrayList<>();
        ChunkAppender plain = ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, out::add);
        ChunkAppender withStarts = ChunkAppender.withStartTimestamps(ChunkAppender.USUAL_SAMPLES, out::add);
        // The earliest chunk is asked last, as Prometheus does: at equal times that decides whose sample stays.
        List<SampleCursor> cursors = new ArrayList<>(overlapping.size());
        for (int i = 1; i < overlapping.size(); i++) {
            cursors.add(ChunkDecoder.cursor(overlapping.get(i)));
        }
        cursors.add(ChunkDecoder.cursor(overlapping.getFirst()));
        SampleChain chain = new SampleChain(cursors);
        ChunkAppender appender = plain;
        while (chain.next()) {
            // Samples with a start timestamp and such without stand in chunks of their own, whatever chunks they come from.
            ChunkAppender now = chain.hasStartTimestamp() ? withStarts : plain;
            if (now != appender) {
                appender.cut();
                appender = now;
            }
            chain.append(appender);
        }
        appender.cut();
        return out;
    }

    private SampleChain(List<SampleCursor> cursors) {
        current = cursors.getFirst();
        for (SampleCursor c : cursors.subList(1, cursors.size())) {
            if (c.next() != Kind.END) {
                heap.push(c);
            }
        }
    }

    private boolean next() {
        boolean switched = false;
        SampleCursor c = current;
        while (c != null) {
            kind = c.next();
            if (kind != Kind.END) {
                if (any && c.timestamp() == lastTime) {
                    continue;
                }
                SampleCursor other = heap.peek();
                if (other == null || c.timestamp() < other.timestamp()) {
                    break;
                }
                heap.push(c);
            } else if (heap.isEmpty()) {
                current = null;
                return false;
            }
            c = heap.pop();
            // Asking for the time it stands on gives its kind again.
            kind = c.seek(c.timestamp());
            switched = true;
            if (!any || c.timestamp() != lastTime) {
                break;
            }
        }
        if (c == null) {
            return false;
        }
        current = c;
        consecutive = !switched && any;
        any = true;
        lastTime = c.timestamp();
        return true;
    }

    private boolean hasStartTimestamp() {
        SampleCursor c = current;
        return c != null && c.startTimestamp() != 0;
    }

    private void append(ChunkAppender appender) {
        SampleCursor c = current;
        if (c == null) {
            return;
        }
        switch (kind) {
            case FLOAT -> appender.append(c.startTimestamp(), c.timestamp(), c.value());
            case HISTOGRAM -> {
                Histogram h = c.histogram();
                if (!consecutive && h.hint() != CounterResetHint.GAUGE && h.hint() != CounterResetHint.UNKNOWN) {
                    h = new Histogram(CounterResetHint.UNKNOWN, h.schema(), h.zeroThreshold(), h.zeroCount(), h.count(), h.sum(),
                            h.positiveSpans(), h.positiveDeltas(), h.negativeSpans(), h.negativeDeltas(), h.customValues());
                }
                appender.append(c.startTimestamp(), c.timestamp(), h);
            }
            case FLOAT_HISTOGRAM -> {
                FloatHistogram h = c.floatHistogram();
                if (!consecutive && h.hint() != CounterResetHint.GAUGE && h.hint() != CounterResetHint.UNKNOWN) {
                    h = new FloatHistogram(CounterResetHint.UNKNOWN, h.schema(), h.zeroThreshold(), h.zeroCount(), h.count(), h.sum(),
                            h.positiveSpans(), h.positiveBuckets(), h.negativeSpans(), h.negativeBuckets(), h.customValues());
                }
                appender.append(c.startTimestamp(), c.timestamp(), h);
            }
            case END -> throw new IllegalStateException("no sample");
        }
    }
}
