package io.varve.demo;

import io.airlift.compress.v3.snappy.SnappyJavaCompressor;
import io.varve.model.Histogram;
import io.varve.model.Labels;
import io.varve.model.Span;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/**
 * Builds the body of a Prometheus remote write 1.0 request: a snappy block of {@code prometheus.WriteRequest}. Written by hand, since
 * the demo needs six fields of it. Field numbers: Prometheus {@code prompb}.
 */
final class RemoteWrite {
    private final ByteArrayOutputStream request = new ByteArrayOutputStream();

    /** Adds floats of one series; times in milliseconds, rising. */
    void floats(Labels labels, long[] times, double[] values) {
        Message series = labels(labels);
        for (int i = 0; i < times.length; i++) {
            series.message(2, new Message().fixed64(1, Double.doubleToRawLongBits(values[i])).varint(2, times[i]));
        }
        add(series);
    }

    /** Adds native histograms of one series. */
    void histograms(Labels labels, long[] times, List<Histogram> values) {
        Message series = labels(labels);
        for (int i = 0; i < times.length; i++) {
            Histogram h = values.get(i);
            Message m = new Message().varint(1, h.count()).fixed64(3, Double.doubleToRawLongBits(h.sum())).varint(4, zigzag(h.schema()))
                    .fixed64(5, Double.doubleToRawLongBits(h.zeroThreshold())).varint(6, h.zeroCount());
            for (Span s : h.positiveSpans()) {
                m.message(11, new Message().varint(1, zigzag(s.offset())).varint(2, s.length()));
            }
            Message deltas = new Message();
            for (long d : h.positiveDeltas()) {
                deltas.raw(zigzag(d));
            }
            series.message(4, m.message(12, deltas).varint(15, times[i]));
        }
        add(series);
    }

    /** The compressed body. */
    byte[] body() {
        byte[] plain = request.toByteArray();
        SnappyJavaCompressor snappy = new SnappyJavaCompressor();
        byte[] out = new byte[snappy.maxCompressedLength(plain.length)];
        return Arrays.copyOf(out, snappy.compress(plain, 0, plain.length, out, 0, out.length));
    }

    private void add(Message series) {
        byte[] framed = new Message().message(1, series).bytes();
        request.write(framed, 0, framed.length);
    }

    private static Message labels(Labels labels) {
        Message m = new Message();
        labels.forEach((name, value) -> m.message(1, new Message().string(1, name).string(2, value)));
        return m;
    }

    private static long zigzag(long v) {
        return v << 1 ^ v >> 63;
    }

    /** A protobuf message as it is written. */
    private static final class Message {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        byte[] bytes() {
            return out.toByteArray();
        }

        Message raw(long v) {
            long rest = v;
            while ((rest & ~0x7FL) != 0) {
                out.write((int) (rest & 0x7F | 0x80));
                rest >>>= 7;
            }
            out.write((int) rest);
            return this;
        }

        Message varint(int field, long v) {
            return raw((long) field << 3).raw(v);
        }

        Message fixed64(int field, long v) {
            raw((long) field << 3 | 1);
            for (int i = 0; i < 64; i += 8) {
                out.write((int) (v >>> i));
            }
            return this;
        }

        Message string(int field, String s) {
            return bytes(field, s.getBytes(StandardCharsets.UTF_8));
        }

        Message message(int field, Message m) {
            return bytes(field, m.bytes());
        }

        private Message bytes(int field, byte[] b) {
            raw((long) field << 3 | 2).raw(b.length);
            out.write(b, 0, b.length);
            return this;
        }
    }
}
