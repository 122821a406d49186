package io.varve.querier.api;

import io.airlift.compress.v3.snappy.SnappyCompressor;
import io.airlift.compress.v3.snappy.SnappyDecompressor;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.VarveException;
import io.varve.querier.dedup.DedupFunction;
import io.varve.querier.fanout.SourceOptions;
import io.varve.querier.fanout.StoreFilter;
import io.varve.querier.fanout.StoreSource;
import io.varve.runtime.http.Request;
import io.varve.runtime.http.Response;
import io.varve.store.ProtoReader;
import io.varve.store.ProtoWriter;
import io.varve.store.ShardInfo;
import io.varve.store.TimeSeriesCodec;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * {@code POST /api/v1/read}: Prometheus' remote read, sampled and streamed, so that a Prometheus can read long history and fill its own gaps
 * from here. Replicas are merged. An answer that would be incomplete is refused: the protocol has no place for a warning.
 */
final class RemoteRead {
    private static final int MAX_BODY = 32 << 20;
    private static final int FRAME_BYTES = 1 << 20;
    private static final int SAMPLES = 0;
    private static final int STREAMED = 1;

    private final QueryService queries;
    private final HttpApi.Config config;
    private final Tenancy tenancy;

    private record Query(long start, long end, List<Matcher> matchers, SelectHints hints) {
    }

    private record ReadRequest(List<Query> queries, List<Integer> accepted) {
    }

    RemoteRead(QueryService queries, HttpApi.Config config, Tenancy tenancy) {
        this.queries = queries;
        this.config = config;
        this.tenancy = tenancy;
    }

    void handle(Request request, Response response) throws IOException {
        String tenant = tenancy.of(request);
        ReadRequest read;
        try {
            read = parse(request.readBody(MAX_BODY), tenancy, tenant);
        } catch (CorruptDataException | io.varve.model.InvalidRequestException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, e.getMessage(), e);
        }
        boolean streamed = streamed(read.accepted);
        SourceOptions options = new SourceOptions(true, config.replicaLabels(), config.dedup(), false,
                config.dedup() == DedupFunction.VARVE ? SourceOptions.FINEST : 0, StoreFilter.ALL, ShardInfo.NONE, config.maxSelectSeries(),
                false);
        try (QueryService.Call call = queries.open(0, tenant)) {
            request.onClientGone(
                    () -> call.context().cancel(new CancelledException(CancelledException.Reason.CANCELED, "request was canceled")));
            StoreSource source = queries.source(options, tenant);
            try {
                if (streamed) {
                    stream(call.context(), source, read.queries, response);
                } else {
                    sampled(call.context(), source, read.queries, response);
                }
            } catch (VarveException e) {
                if (response.isCommitted()) {
                    throw new IOException(e.getMessage(), e);
                }
                throw new ApiException(
                        e instanceof io.varve.model.LimitExceededException ? ApiException.Kind.BAD_DATA : ApiException.Kind.INTERNAL,
                        e.getMessage(), e);
            }
        }
    }

    private static boolean streamed(List<Integer> accepted) {
        for (int a : accepted) {
            if (a == STREAMED || a == SAMPLES) {
                return a == STREAMED;
            }
        }
        if (accepted.isEmpty()) {
            return false;
        }
        throw ApiException.badData("server does not support any of the requested response types: " + accepted
                + "; supported: map[SAMPLES:{} STREAMED_XOR_CHUNKS:{}]");
    }

    static ReadRequest parse(byte[] body, Tenancy tenancy, String tenant) {
        byte[] plain;
        try {
            SnappyDecompressor snappy = SnappyDecompressor.create();
            int length = snappy.getUncompressedLength(body, 0);
            if (length < 0 || length > MAX_BODY) {
                throw ApiException.badData("remote read request of " + length + " bytes is larger than " + MAX_BODY);
            }
            plain = new byte[length];
            snappy.decompress(body, 0, body.length, plain, 0, length);
        } catch (io.airlift.compress.v3.MalformedInputException | IllegalArgumentException | IndexOutOfBoundsException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, "snappy: corrupt input", e);
        }
        List<Query> queries = new ArrayList<>();
        List<Integer> accepted = new ArrayList<>();
        ProtoReader r = new ProtoReader(plain, 0, plain.length);
        while (r.next()) {
            if (r.field() == 1) {
                int outer = r.enter();
                queries.add(query(r, tenancy, tenant));
                r.leave(outer);
            } else if (r.field() == 2 && r.wireType() == ProtoReader.BYTES) {
                int outer = r.enter();
                while (r.more()) {
                    accepted.add((int) r.varint());
                }
                r.leave(outer);
            } else if (r.field() == 2) {
                accepted.add(r.readInt());
            } else {
                r.skip();
            }
        }
        return new ReadRequest(queries, accepted);
    }

    private static Query query(ProtoReader r, Tenancy tenancy, String tenant) {
        long start = 0;
        long end = 0;
        List<Matcher> matchers = new ArrayList<>();
        String function = "";
        long hintStart = 0;
        long hintEnd = 0;
        long rangeMillis = 0;
        boolean hinted = false;
        while (r.next()) {
            switch (r.field()) {
                case 1 -> start = r.readLong();
                case 2 -> end = r.readLong();
                case 3 -> {
                    int outer = r.enter();
                    int type = 0;
                    String name = "";
                    String value = "";
                    while (r.next()) {
                        switch (r.field()) {
                            case 1 -> type = r.readInt();
                            case 2 -> name = r.readString();
                            case 3 -> value = r.readString();
                            default -> r.skip();
                        }
                    }
                    r.leave(outer);
                    if (type < 0 || type > 3) {
                        throw ApiException.badData("invalid matcher type " + type);
                    }
                    matchers.add(Matcher.of(Matcher.Type.values()[type], name, value));
                }
                case 4 -> {
                    int outer = r.enter();
                    hinted = true;
                    while (r.next()) {
                        switch (r.field()) {
                            case 2 -> function = r.readString();
                            case 3 -> hintStart = r.readLong();
                            case 4 -> hintEnd = r.readLong();
                            case 7 -> rangeMillis = r.readLong();
                            default -> r.skip();
                        }
                    }
                    r.leave(outer);
                }
                default -> r.skip();
            }
        }
        List<Matcher> bound = tenancy.enforce() ? tenancy.bind(tenant, matchers) : matchers;
        if (bound.isEmpty()) {
            throw ApiException.badData("a remote read query needs at least one matcher");
        }
        if (hinted && hintStart != 0 && hintEnd >= hintStart) {
            start = Math.max(start, hintStart);
            end = Math.min(end, hintEnd);
        }
        SelectHints all = SelectHints.of(start, end);
        // The reader evaluates functions itself, over what it has and what it gets: values must be those that were scraped.
        SelectHints hints = new SelectHints(all.range(), 0, 0, rangeMillis, "", false, List.of(), 0, false, List.of());
        return new Query(start, end, bound, hints);
    }

    private void sampled(QueryContext context, StoreSource source, List<Query> all, Response response) throws IOException {
        ProtoWriter out = new ProtoWriter(1 << 16);
        List<byte[]> results = new ArrayList<>();
        long samples = 0;
        SampleBuffer buffer = new SampleBuffer(256);
        for (Query q : all) {
            List<byte[]> series = new ArrayList<>();
            try (SeriesSet set = source.select(context, q.hints, q.matchers)) {
                Series s;
                while ((s = set.next()) != null) {
                    buffer.clear();
                    s.read(buffer);
                    if (buffer.size == 0) {
                        continue;
                    }
                    samples += buffer.size;
                    if (config.maxReadSamples() > 0 && samples > config.maxReadSamples()) {
                        throw ApiException.badData("exceeded sample limit (" + config.maxReadSamples() + ")");
                    }
                    out.clear();
                    TimeSeriesCodec.write(out, s.labels(), buffer);
                    out.message(1, 0);
                    byte[] one = out.toByteArray();
                    context.budget().reserve(2L * one.length, "the answer to a remote read");
                    series.add(one);
                }
            }
            out.clear();
            for (int i = series.size() - 1; i >= 0; i--) {
                out.raw(series.get(i), 0, series.get(i).length);
            }
            out.message(1, 0);
            results.add(out.toByteArray());
        }
        out.clear();
        for (int i = results.size() - 1; i >= 0; i--) {
            out.raw(results.get(i), 0, results.get(i).length);
        }
        byte[] plain = out.toByteArray();
        SnappyCompressor snappy = SnappyCompressor.create();
        byte[] packed = new byte[snappy.maxCompressedLength(plain.length)];
        int n = snappy.compress(plain, 0, plain.length, packed, 0, packed.length);
        refuseIncomplete(context);
        response.header("Content-Type", "application/x-protobuf");
        response.header("Content-Encoding", "snappy");
        Envelope.coverageHeader(response, context.coverage());
        try (OutputStream body = response.body()) {
            body.write(packed, 0, n);
        }
    }

    private static void refuseIncomplete(QueryContext context) {
        List<String> warnings = context.warnings();
        if (!warnings.isEmpty()) {
            throw new io.varve.model.UnavailableException("the answer would be incomplete: " + String.join("; ", warnings));
        }
    }

    private static void stream(QueryContext context, StoreSource source, List<Query> all, Response response) throws IOException {
        response.header("Content-Type", "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse");
        try (Frames frames = new Frames(response)) {
            SampleBuffer buffer = new SampleBuffer(256);
            for (int i = 0; i < all.size(); i++) {
                Query q = all.get(i);
                try (SeriesSet set = source.select(context, q.hints, q.matchers)) {
                    Series s;
                    while ((s = set.next()) != null) {
                        buffer.clear();
                        s.read(buffer);
                        if (buffer.size > 0) {
                            frames.series(s.labels(), buffer, i);
                        }
                    }
                }
                refuseIncomplete(context);
            }
            frames.finish();
        }
    }

    /** Frames of a streamed answer. The body opens with the first frame, so that an early failure still has a status. */
    private static final class Frames implements AutoCloseable {
        private final Response response;
        private final ProtoWriter out = new ProtoWriter(FRAME_BYTES);
        private final byte[] head = new byte[14];

        Frames(Response response) {
            this.response = response;
        }

        void series(Labels labels, SampleBuffer b, int query) throws IOException {
            List<Chunk> chunks = new ArrayList<>();
            ChunkAppender appender = ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, chunks::add);
            for (int i = 0; i < b.size; i++) {
                FloatHistogram h = b.histogram(i);
                if (h == null) {
                    appender.append(b.timestamps[i], b.values[i]);
                } else {
                    appender.append(0, b.timestamps[i], h);
                }
            }
            appender.cut();
            int from = 0;
            long bytes = 0;
            for (int i = 0; i < chunks.size(); i++) {
                bytes += chunks.get(i).length() + 24;
                if (bytes >= FRAME_BYTES || i == chunks.size() - 1) {
                    frame(labels, chunks.subList(from, i + 1), query);
                    from = i + 1;
                    bytes = 0;
                }
            }
        }

        private void frame(Labels labels, List<Chunk> chunks, int query) throws IOException {
            out.clear();
            out.integer(2, query);
            int series = out.size();
            for (int i = chunks.size() - 1; i >= 0; i--) {
                Chunk c = chunks.get(i);
                int mark = out.size();
                out.bytes(4, c.data(), c.offset(), c.length());
                out.integer(3, c.encoding().code());
                out.integer(2, c.maxTime());
                out.integer(1, c.minTime());
                out.message(2, mark);
            }
            for (int i = labels.size() - 1; i >= 0; i--) {
                int mark = out.size();
                out.string(2, labels.value(i), false);
                out.string(1, labels.name(i), false);
                out.message(1, mark);
            }
            out.message(1, series);
            CRC32C crc = new CRC32C();
            crc.update(out.array(), out.offset(), out.size());
            int n = 0;
            int length = out.size();
            for (int v = length;; v >>>= 7) {
                if (v < 0x80) {
                    head[n++] = (byte) v;
                    break;
                }
                head[n++] = (byte) (v | 0x80);
            }
            int sum = (int) crc.getValue();
            for (int shift = 24; shift >= 0; shift -= 8) {
                head[n++] = (byte) (sum >>> shift);
            }
            OutputStream body = response.body();
            body.write(head, 0, n);
            body.write(out.array(), out.offset(), length);
        }

        void finish() throws IOException {
            response.body().close();
        }

        @Override
        public void close() {
            // A body that was not finished is broken off by the server, so that half an answer is seen as such.
        }
    }
}
