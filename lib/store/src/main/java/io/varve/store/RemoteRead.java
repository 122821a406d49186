package io.varve.store;

import com.google.protobuf.InvalidProtocolBufferException;
import io.varve.chunk.Chunk;
import io.varve.chunk.Encoding;
import io.varve.model.CorruptDataException;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.SampleBuffer;
import io.varve.proto.prometheus.LabelMatcher;
import io.varve.proto.prometheus.ReadHints;
import io.varve.proto.prometheus.ReadRequest;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Prometheus' remote read protocol, without its snappy layer: bodies of requests, frames of streamed answers, bodies of sampled answers. A
 * streamed frame is {@code uvarint length | CRC32C, big endian | ChunkedReadResponse}. Source: Prometheus {@code prompb/remote.proto},
 * {@code storage/remote/chunked.go}.
 */
public final class RemoteRead {
    /** {@code Content-Type} of a request and of a sampled answer. */
    public static final String PROTOBUF = "application/x-protobuf";
    /** {@code Content-Type} of a streamed answer. */
    public static final String STREAMED = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

    /**
     * A matcher that every series satisfies and that says: only what you have yourself. A Prometheus hands all matchers on to where it reads
     * remotely itself; when that is a querier over the sidecar that asked, the question would come round for ever. The querier answers a
     * question with this matcher with nothing.
     */
    public static final Matcher LOCAL_ONLY = Matcher.equal("__varve_local__", "");

    private RemoteRead() {
    }

    /** How an answer may come. In the order of the wire. */
    public enum ResponseType {
        /** Decoded samples in one message. */
        SAMPLES,
        /** A stream of frames with encoded chunks. */
        STREAMED_XOR_CHUNKS
    }

    /** A request: queries, and the kinds of answer in order of preference (none means samples). */
    public record Request(List<Query> queries, List<ResponseType> accepted) {
    }

    /** What PromQL knows of a query. Milliseconds. */
    public record Hints(long stepMillis, String func, long start, long end, List<String> grouping, boolean by, long rangeMillis) {
    }

    /** Series of a span; milliseconds, both ends included. */
    public record Query(long start, long end, List<Matcher> matchers, @Nullable Hints hints) {
    }

    /** The body of a request, before compression. */
    public static byte[] write(Request request) {
        ReadRequest.Builder b = ReadRequest.newBuilder();
        for (Query q : request.queries()) {
            var query = io.varve.proto.prometheus.Query.newBuilder().setStartTimestampMs(q.start()).setEndTimestampMs(q.end());
            for (Matcher m : q.matchers()) {
                query.addMatchers(LabelMatcher.newBuilder().setTypeValue(m.type().ordinal()).setName(m.name()).setValue(m.value()));
            }
            Hints h = q.hints();
            if (h != null) {
                query.setHints(ReadHints.newBuilder().setStepMs(h.stepMillis()).setFunc(h.func()).setStartMs(h.start()).setEndMs(h.end())
                        .addAllGrouping(h.grouping()).setBy(h.by()).setRangeMs(h.rangeMillis()));
            }
            b.addQueries(query);
        }
        request.accepted().forEach(t -> b.addAcceptedResponseTypesValue(t.ordinal()));
        return b.build().toByteArray();
    }

    /**
     * Reads the body of a request, after decompression. Unknown kinds of answer are left out.
     *
     * @throws InvalidRequestException where it is none
     */
    public static Request readRequest(byte[] body) {
        try {
            ReadRequest r = ReadRequest.parseFrom(body);
            List<ResponseType> accepted = new ArrayList<>();
            for (int t : r.getAcceptedResponseTypesValueList()) {
                if (t >= 0 && t < ResponseType.values().length) {
                    accepted.add(ResponseType.values()[t]);
                }
            }
            if (accepted.isEmpty() && r.getAcceptedResponseTypesCount() > 0) {
                throw new InvalidRequestException("server does not support any of the requested response types: "
                        + r.getAcceptedResponseTypesValueList().toString().replace(",", "")
                        + "; supported: map[SAMPLES:{} STREAMED_XOR_CHUNKS:{}]");
            }
            List<Query> queries = new ArrayList<>();
            for (io.varve.proto.prometheus.Query q : r.getQueriesList()) {
                List<Matcher> matchers = new ArrayList<>();
                for (LabelMatcher m : q.getMatchersList()) {
                    int type = m.getTypeValue();
                    if (type < 0 || type > 3) {
                        throw new InvalidRequestException("invalid matcher type");
                    }
                    matchers.add(Matcher.of(Matcher.Type.values()[type], m.getName(), m.getValue()));
                }
                ReadHints h = q.getHints();
                queries.add(new Query(q.getStartTimestampMs(), q.getEndTimestampMs(), matchers, q.hasHints()
                        ? new Hints(h.getStepMs(), h.getFunc(), h.getStartMs(), h.getEndMs(), List.copyOf(h.getGroupingList()), h.getBy(),
                                h.getRangeMs())
                        : null));
            }
            return new Request(queries, accepted);
        } catch (InvalidProtocolBufferException e) {
            throw new InvalidRequestException("error unmarshalling request body: " + e.getMessage(), e);
        }
    }

    /** A streamed frame, ready to be sent, with some chunks of one series. Frames should stay near 1 MiB. */
    public static byte[] frame(ProtoWriter out, long queryIndex, Labels labels, List<Chunk> chunks) {
        out.clear();
        out.integer(2, queryIndex);
        int mark = out.size();
        for (int i = chunks.size() - 1; i >= 0; i--) {
            Chunk c = chunks.get(i);
            int chunk = out.size();
            out.bytes(4, c.data(), c.offset(), c.length());
            out.integer(3, c.encoding().code());
            out.integer(2, c.maxTime());
            out.integer(1, c.minTime());
            out.message(2, chunk);
        }
        SeriesFrames.labels(out, 1, labels);
        out.message(1, mark);
        CRC32C crc = new CRC32C();
        crc.update(out.array(), out.offset(), out.size());
        int length = out.size();
        int sum = (int) crc.getValue();
        out.raw(new byte[]{(byte) (sum >>> 24), (byte) (sum >>> 16), (byte) (sum >>> 8), (byte) sum}, 0, 4);
        out.varint(length);
        return out.toByteArray();
    }

    /** Reads streamed frames. One thread. */
    public static final class FrameReader {
        private final InputStream in;
        private final int maxFrameBytes;
        private final LabelReader labels;
        private final String from;
        private long read;

        /** Takes what frames hold, in order. */
        public interface Frames {
            /** Some chunks of a series; the same labels may come again. Chunks refer to the frame's own array. */
            void series(long queryIndex, Labels labels, List<Chunk> chunks);
        }

        /**
         * @param in not closed here
         * @param maxFrameBytes a longer frame is a fault
         * @param from where the bytes come from, for messages
         */
        public FrameReader(InputStream in, int maxFrameBytes, String from) {
            this.in = in;
            this.maxFrameBytes = maxFrameBytes;
            this.from = from;
            this.labels = new LabelReader(new LabelTexts());
        }

        /**
         * Reads the next frame; false at the end.
         *
         * @throws CorruptDataException where the bytes break a rule
         * @throws IOException where they cannot be read or end early
         */
        public boolean next(Frames into) throws IOException {
            long length = 0;
            int shift = 0;
            while (true) {
                int b = in.read();
                if (b < 0) {
                    if (shift == 0) {
                        return false;
                    }
                    throw new EOFException("remote read answer of " + from + " ends within a frame's length");
                }
                length |= (long) (b & 0x7F) << shift;
                if (b < 0x80) {
                    break;
                }
                shift += 7;
                if (shift > 35) {
                    throw new CorruptDataException(from, read, "frame length of more than five bytes");
                }
            }
            if (length > maxFrameBytes) {
                throw new CorruptDataException(from, read, "frame of " + length + " bytes, " + maxFrameBytes + " are allowed");
            }
            byte[] head = in.readNBytes(4);
            byte[] data = in.readNBytes((int) length);
            if (head.length < 4 || data.length < length) {
                throw new EOFException("remote read answer of " + from + " ends within a frame");
            }
            int want = head[0] << 24 | (head[1] & 0xFF) << 16 | (head[2] & 0xFF) << 8 | head[3] & 0xFF;
            CRC32C crc = new CRC32C();
            crc.update(data, 0, data.length);
            if ((int) crc.getValue() != want) {
                throw new CorruptDataException(from, read, "frame checksum " + Integer.toHexString((int) crc.getValue()) + ", expected "
                        + Integer.toHexString(want));
            }
            read += length;
            decode(data, into);
            return true;
        }

        private void decode(byte[] data, Frames into) {
            try {
                ProtoReader r = new ProtoReader(data, 0, data.length);
                List<Labels> found = new ArrayList<>(1);
                List<List<Chunk>> chunks = new ArrayList<>(1);
                long queryIndex = 0;
                while (r.next()) {
                    switch (r.field()) {
                        case 1 -> {
                            int outer = r.enter();
                            series(r, found, chunks);
                            r.leave(outer);
                        }
                        case 2 -> queryIndex = r.readLong();
                        default -> r.skip();
                    }
                }
                for (int i = 0; i < found.size(); i++) {
                    into.series(queryIndex, found.get(i), chunks.get(i));
                }
            } catch (CorruptDataException e) {
                throw e.in(from, read - data.length);
            }
        }

        private void series(ProtoReader r, List<Labels> allLabels, List<List<Chunk>> allChunks) {
            List<Chunk> chunks = new ArrayList<>(4);
            labels.begin(r);
            while (r.next()) {
                switch (r.field()) {
                    case 1 -> labels.label(r);
                    case 2 -> {
                        int outer = r.enter();
                        chunks.add(chunk(r));
                        r.leave(outer);
                    }
                    default -> r.skip();
                }
            }
            allLabels.add(labels.end());
            allChunks.add(chunks);
        }

        private static Chunk chunk(ProtoReader r) {
            long min = 0;
            long max = 0;
            long type = 0;
            int at = r.position();
            int length = 0;
            while (r.next()) {
                switch (r.field()) {
                    case 1 -> min = r.readLong();
                    case 2 -> max = r.readLong();
                    case 3 -> type = r.readLong();
                    case 4 -> {
                        length = r.length();
                        at = r.position();
                        r.advance(length);
                    }
                    default -> r.skip();
                }
            }
            if (type < 1 || type > 6) {
                throw r.corrupt("chunk type " + type);
            }
            return new Chunk(min, max, Encoding.ofCode((int) type), r.array(), at, length);
        }
    }

    /** The body of a sampled answer, before compression: the series of each query. One thread. */
    public static final class SampledWriter {
        private final ProtoWriter series = new ProtoWriter(4096);
        private final List<List<byte[]>> results = new ArrayList<>();

        /** Begins the series of the next query. */
        public void query() {
            results.add(new ArrayList<>());
        }

        /** Adds a series to the query begun last; returns the bytes it takes, for budgets. */
        public long series(Labels labels, SampleBuffer samples) {
            series.clear();
            TimeSeriesCodec.write(series, labels, samples);
            series.message(1, 0);
            results.getLast().add(series.toByteArray());
            return series.size();
        }

        /** The whole body. */
        public byte[] finish() {
            ProtoWriter out = new ProtoWriter(results.stream().flatMap(List::stream).mapToInt(b -> b.length).sum() + 64);
            for (int q = results.size() - 1; q >= 0; q--) {
                int mark = out.size();
                for (int i = results.get(q).size() - 1; i >= 0; i--) {
                    out.raw(results.get(q).get(i), 0, results.get(q).get(i).length);
                }
                out.message(1, mark);
            }
            return out.toByteArray();
        }
    }

    /** Takes the series of a sampled answer. */
    public interface SampledSeries {
        /** Begins a series; floats go to the returned buffer in order. */
        void series(Labels labels, SampleBuffer floats, List<TimedHistogram> histograms);
    }

    /** A histogram of a sampled answer: one of both is there. */
    public record TimedHistogram(long timestamp, io.varve.model.@Nullable Histogram integer,
            io.varve.model.@Nullable FloatHistogram real) {
    }

    /** Reads the body of a sampled answer, after decompression. */
    public static void readSampled(byte[] body, String from, SampledSeries into) {
        try {
            ProtoReader r = new ProtoReader(body, 0, body.length);
            SampleBuffer floats = new SampleBuffer(128);
            while (r.next()) {
                if (r.field() != 1) {
                    r.skip();
                    continue;
                }
                int result = r.enter();
                while (r.next()) {
                    if (r.field() != 1) {
                        r.skip();
                        continue;
                    }
                    int outer = r.enter();
                    floats.clear();
                    List<TimedHistogram> histograms = new ArrayList<>();
                    Labels labels = TimeSeriesCodec.read(r, floats, new TimeSeriesCodec.HistogramSink() {
                        @Override
                        public void integer(long timestamp, io.varve.model.Histogram histogram) {
                            histograms.add(new TimedHistogram(timestamp, histogram, null));
                        }

                        @Override
                        public void real(long timestamp, io.varve.model.FloatHistogram histogram) {
                            histograms.add(new TimedHistogram(timestamp, null, histogram));
                        }
                    });
                    r.leave(outer);
                    into.series(labels, floats, histograms);
                }
                r.leave(result);
            }
        } catch (CorruptDataException e) {
            throw e.in(from, 0);
        }
    }
}
