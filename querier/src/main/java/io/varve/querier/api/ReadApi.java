package io.varve.querier.api;

import io.airlift.compress.v3.MalformedInputException;
import io.airlift.compress.v3.snappy.SnappyJavaCompressor;
import io.airlift.compress.v3.snappy.SnappyJavaDecompressor;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.TimeRange;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.querier.dedup.DedupFunction;
import io.varve.querier.fanout.Selectors;
import io.varve.querier.fanout.SourceOptions;
import io.varve.querier.fanout.StoreFilter;
import io.varve.runtime.http.Request;
import io.varve.runtime.http.Response;
import io.varve.store.ProtoWriter;
import io.varve.store.RemoteRead;
import io.varve.store.ShardInfo;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code POST /api/v1/read}: Prometheus' remote read, sampled and streamed, so that a Prometheus can read long history and fill its own gaps
 * from here. Replicas are merged. An answer that would be incomplete is refused: the protocol has no place for a warning.
 *
 * <p>
 * A Prometheus adds its external labels to what it asks for, its replica label among them, and so would never get what its twin has. With
 * varve's own merge an equality with a replica label therefore says who leads and not who else is left out: the asker gets its own samples
 * back, which it has itself, and between them its twin's where it has a gap. Where a question of one of our own sidecars comes round through its Prometheus, the answer is empty:
 * {@link RemoteRead#LOCAL_ONLY}.
 */
final class ReadApi {
    private static final int MAX_BODY = 32 << 20;
    private static final int FRAME_BYTES = 1 << 20;
    private static final int CHUNK_OVERHEAD = 24;

    private final QueryService queries;
    private final HttpApi.Config config;
    private final Tenancy tenancy;

    ReadApi(QueryService queries, HttpApi.Config config, Tenancy tenancy) {
        this.queries = queries;
        this.config = config;
        this.tenancy = tenancy;
    }

    void handle(Request request, Response response) throws IOException {
        String tenant = tenancy.of(request);
        RemoteRead.Request read;
        long requestBytes;
        try {
            byte[] plain = unpacked(request.readBody(MAX_BODY));
            requestBytes = plain.length;
            read = RemoteRead.readRequest(plain);
        } catch (InvalidRequestException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, e.getMessage(), e);
        }
        boolean streamed = !read.accepted().isEmpty() && read.accepted().getFirst() == RemoteRead.ResponseType.STREAMED_XOR_CHUNKS;
        try (QueryService.Call call = queries.open(request, tenant)) {
            QueryContext context = call.context();
            try {
                queries.gated(call, requestBytes, turn -> {
                    if (streamed) {
                        stream(context, turn, tenant, read.queries(), response);
                    } else {
                        sampled(context, turn, tenant, read.queries(), response);
                    }
                });
            } catch (VarveException e) {
                if (response.isCommitted()) {
                    throw new IOException(e.getMessage(), e);
                }
                Envelope.coverageHeader(response, context.coverage());
                throw new ApiException(e instanceof LimitExceededException || e instanceof InvalidRequestException
                        ? ApiException.Kind.BAD_DATA
                        : ApiException.Kind.INTERNAL, e.getMessage(), e);
            }
        }
    }

    private static byte[] unpacked(byte[] body) {
        try {
            SnappyJavaDecompressor snappy = new SnappyJavaDecompressor();
            int length = snappy.getUncompressedLength(body, 0);
            if (length < 0 || length > MAX_BODY) {
                throw ApiException.badData("remote read request of " + length + " bytes is larger than " + MAX_BODY);
            }
            byte[] plain = new byte[length];
            if (snappy.decompress(body, 0, body.length, plain, 0, length) != length) {
                throw ApiException.badData("snappy: corrupt input");
            }
            return plain;
        } catch (MalformedInputException | IllegalArgumentException | IndexOutOfBoundsException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, "snappy: corrupt input", e);
        }
    }

    /** Opens what a query asks for. */
    private SeriesSet select(QueryContext context, QueryGate.Turn turn, String tenant, RemoteRead.Query q) {
        if (q.matchers().contains(RemoteRead.LOCAL_ONLY)) {
            return SeriesSet.empty();
        }
        List<Matcher> matchers = new ArrayList<>(tenancy.enforce() ? tenancy.bind(tenant, q.matchers()) : q.matchers());
        if (matchers.isEmpty()) {
            throw ApiException.badData("a remote read query needs at least one matcher");
        }
        String leader = config.dedup() == DedupFunction.VARVE ? takeLeader(matchers) : "";
        if (matchers.isEmpty()) {
            // Whoever was asked for by nothing but replica labels is anybody.
            matchers.add(Selectors.EVERYTHING);
        }
        long start = q.start();
        long end = q.end();
        RemoteRead.Hints h = q.hints();
        if (h != null && h.start() != 0 && h.end() >= h.start()) {
            start = Math.max(start, h.start());
            end = Math.min(end, h.end());
        }
        // The reader evaluates functions itself, over what it has and what it gets: values must be those that were scraped.
        SelectHints hints = new SelectHints(new TimeRange(start, end), 0, 0, h == null ? 0 : h.rangeMillis(), "", false, List.of(), 0,
                labelsOnly(q));
        SourceOptions options = new SourceOptions(true, config.replicaLabels(), config.dedup(), false,
                config.dedup() == DedupFunction.VARVE ? SourceOptions.FINEST : 0, StoreFilter.ALL, ShardInfo.NONE, config.maxSelectSeries(),
                false, false, leader);
        return queries.source(options, tenant, turn).select(context, hints, matchers);
    }

    /** A Prometheus that is asked for {@code /api/v1/series} looks at labels alone; it gets series without samples. */
    private static boolean labelsOnly(RemoteRead.Query q) {
        return q.hints() != null && q.hints().func().equals("series");
    }

    /** Takes equalities with replica labels out; the replica that they name together, or "". */
    private String takeLeader(List<Matcher> matchers) {
        List<String> values = new ArrayList<>();
        for (String label : config.replicaLabels()) {
            String value = "";
            for (Matcher m : matchers) {
                if (m.name().equals(label) && m.type() == Matcher.Type.EQUAL) {
                    value = m.value();
                }
            }
            values.add(value);
        }
        matchers.removeIf(m -> m.type() == Matcher.Type.EQUAL && config.replicaLabels().contains(m.name()));
        return String.join("/", values);
    }

    private void sampled(QueryContext context, QueryGate.Turn turn, String tenant, List<RemoteRead.Query> all, Response response)
            throws IOException {
        RemoteRead.SampledWriter writer = new RemoteRead.SampledWriter();
        long samples = 0;
        SampleBuffer buffer = new SampleBuffer(256);
        for (RemoteRead.Query q : all) {
            writer.query();
            try (SeriesSet set = select(context, turn, tenant, q)) {
                Series s;
                while ((s = set.next()) != null) {
                    buffer.clear();
                    s.read(buffer);
                    if (buffer.size == 0 && !labelsOnly(q)) {
                        continue;
                    }
                    samples += buffer.size;
                    if (config.maxReadSamples() > 0 && samples > config.maxReadSamples()) {
                        throw ApiException.badData("exceeded sample limit (" + config.maxReadSamples()
                                + ", --remote-read.max-samples); let the reader accept a streamed answer or raise the limit");
                    }
                    // Held as series, then as one body, then packed.
                    context.budget().reserve(3 * writer.series(s.labels(), buffer), "the answer to a remote read");
                }
            }
        }
        refuseIncomplete(context);
        byte[] plain = writer.finish();
        SnappyJavaCompressor snappy = new SnappyJavaCompressor();
        byte[] packed = new byte[snappy.maxCompressedLength(plain.length)];
        int n = snappy.compress(plain, 0, plain.length, packed, 0, packed.length);
        response.header("Content-Type", RemoteRead.PROTOBUF);
        response.header("Content-Encoding", "snappy");
        Envelope.coverageHeader(response, context.coverage());
        try (OutputStream body = response.body()) {
            body.write(packed, 0, n);
        }
    }

    private static void refuseIncomplete(QueryContext context) {
        List<String> warnings = context.warnings();
        if (!warnings.isEmpty()) {
            throw new UnavailableException("the answer would be incomplete: " + String.join("; ", warnings));
        }
    }

    /** The body opens with the first frame, so that an early failure has a status; one that fails later is broken off and so seen. */
    private void stream(QueryContext context, QueryGate.Turn turn, String tenant, List<RemoteRead.Query> all, Response response)
            throws IOException {
        response.header("Content-Type", RemoteRead.STREAMED);
        ProtoWriter out = new ProtoWriter(1 << 16);
        SampleBuffer buffer = new SampleBuffer(256);
        for (int i = 0; i < all.size(); i++) {
            try (SeriesSet set = select(context, turn, tenant, all.get(i))) {
                Series s;
                while ((s = set.next()) != null) {
                    buffer.clear();
                    s.read(buffer);
                    if (buffer.size == 0 && labelsOnly(all.get(i))) {
                        response.body().write(RemoteRead.frame(out, i, s.labels(), List.of()));
                    } else if (buffer.size > 0) {
                        frames(response, out, i, s.labels(), encoded(buffer));
                    }
                }
            }
            refuseIncomplete(context);
        }
        response.body().close();
    }

    private static List<Chunk> encoded(SampleBuffer b) {
        List<Chunk> chunks = new ArrayList<>();
        ChunkAppender appender = ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, chunks::add);
        appender.append(b);
        appender.cut();
        return chunks;
    }

    private static void frames(Response response, ProtoWriter out, int query, Labels labels, List<Chunk> chunks) throws IOException {
        int from = 0;
        long bytes = 0;
        for (int i = 0; i < chunks.size(); i++) {
            bytes += chunks.get(i).length() + CHUNK_OVERHEAD;
            if (bytes >= FRAME_BYTES || i == chunks.size() - 1) {
                response.body().write(RemoteRead.frame(out, query, labels, chunks.subList(from, i + 1)));
                from = i + 1;
                bytes = 0;
            }
        }
    }
}
