package io.varve.store;

import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import io.grpc.Channel;
import io.grpc.MethodDescriptor;
import io.varve.model.Labels;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.proto.thanos.ExemplarsGrpc;
import io.varve.proto.thanos.ExemplarsResponse;
import io.varve.proto.thanos.MetadataGrpc;
import io.varve.proto.thanos.MetricMetadataResponse;
import io.varve.proto.thanos.QueryGrpc;
import io.varve.proto.thanos.RulesGrpc;
import io.varve.proto.thanos.RulesResponse;
import io.varve.proto.thanos.StatusGrpc;
import io.varve.proto.thanos.TSDBStatisticsResponse;
import io.varve.proto.thanos.TargetsGrpc;
import io.varve.proto.thanos.TargetsResponse;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** The APIs beside Store of one remote endpoint, over gRPC. Calls block until the answer is complete. Safe for many threads. */
public final class GrpcApis implements RulesApi, TargetsApi, MetadataApi, ExemplarsApi, StatusApi, QueryApi {
    private static final MethodDescriptor<byte[], byte[]> RULES = Methods.raw(RulesGrpc.getRulesMethod());
    private static final MethodDescriptor<byte[], byte[]> TARGETS = Methods.raw(TargetsGrpc.getTargetsMethod());
    private static final MethodDescriptor<byte[], byte[]> METADATA = Methods.raw(MetadataGrpc.getMetricMetadataMethod());
    private static final MethodDescriptor<byte[], byte[]> EXEMPLARS = Methods.raw(ExemplarsGrpc.getExemplarsMethod());
    private static final MethodDescriptor<byte[], byte[]> STATISTICS = Methods.raw(StatusGrpc.getTSDBStatisticsMethod());
    private static final MethodDescriptor<byte[], byte[]> QUERY = Methods.raw(QueryGrpc.getQueryMethod());
    private static final MethodDescriptor<byte[], byte[]> QUERY_RANGE = Methods.raw(QueryGrpc.getQueryRangeMethod());

    private final Channel channel;
    private final String address;

    /**
     * @param address host:port, for messages
     */
    public GrpcApis(Channel channel, String address) {
        this.channel = channel;
        this.address = address;
    }

    private void each(MethodDescriptor<byte[], byte[]> method, MessageLite request, QueryContext context, Consumer<byte[]> message) {
        try (ClientStream stream = ClientStream.open(channel, address, method, request.toByteArray(), context)) {
            for (byte[] m = stream.next(0); m != null; m = stream.next(0)) {
                message.accept(m);
            }
        }
    }

    private <M extends MessageLite> M parse(Parser<M> parser, byte[] data) {
        return GrpcStoreClient.parse(parser, data, address);
    }

    @Override
    public void rules(QueryContext context, RulesApi.Request request, Answers<RulesApi.Group> answers) {
        each(RULES, ApiWire.write(request), context, m -> {
            RulesResponse r = parse(RulesResponse.parser(), m);
            switch (r.getResultCase()) {
                case GROUP -> answers.item(ApiWire.read(r.getGroup()));
                case WARNING -> answers.warning(r.getWarning());
                case RESULT_NOT_SET -> {
                    // A kind of frame that is not known yet.
                }
            }
        });
    }

    @Override
    public void targets(QueryContext context, TargetsApi.Request request, Answers<TargetsApi.Discovery> answers) {
        each(TARGETS, ApiWire.write(request), context, m -> {
            TargetsResponse r = parse(TargetsResponse.parser(), m);
            switch (r.getResultCase()) {
                case TARGETS -> answers.item(ApiWire.read(r.getTargets()));
                case WARNING -> answers.warning(r.getWarning());
                case RESULT_NOT_SET -> {
                    // A kind of frame that is not known yet.
                }
            }
        });
    }

    @Override
    public void metadata(QueryContext context, MetadataApi.Request request, Answers<Map<String, List<MetadataApi.Meta>>> answers) {
        each(METADATA, ApiWire.write(request), context, m -> {
            MetricMetadataResponse r = parse(MetricMetadataResponse.parser(), m);
            switch (r.getResultCase()) {
                case METADATA -> answers.item(ApiWire.read(r.getMetadata()));
                case WARNING -> answers.warning(r.getWarning());
                case RESULT_NOT_SET -> {
                    // A kind of frame that is not known yet.
                }
            }
        });
    }

    @Override
    public void exemplars(QueryContext context, ExemplarsApi.Request request, Answers<ExemplarsApi.ExemplarSeries> answers) {
        each(EXEMPLARS, ApiWire.write(request), context, m -> {
            ExemplarsResponse r = parse(ExemplarsResponse.parser(), m);
            switch (r.getResultCase()) {
                case DATA -> answers.item(ApiWire.read(r.getData()));
                case WARNING -> answers.warning(r.getWarning());
                case RESULT_NOT_SET -> {
                    // A kind of frame that is not known yet.
                }
            }
        });
    }

    @Override
    public void tsdbStatistics(QueryContext context, StatusApi.Request request, Answers<Map<String, StatusApi.TsdbStatistics>> answers) {
        each(STATISTICS, ApiWire.write(request), context, m -> {
            TSDBStatisticsResponse r = parse(TSDBStatisticsResponse.parser(), m);
            switch (r.getResultCase()) {
                case STATISTICS -> answers.item(ApiWire.read(r.getStatistics()));
                case WARNING -> answers.warning(r.getWarning());
                case RESULT_NOT_SET -> {
                    // A kind of frame that is not known yet.
                }
            }
        });
    }

    @Override
    public void query(QueryContext context, Instant request, Results results) {
        SampleBuffer samples = new SampleBuffer(4);
        each(QUERY, ApiWire.write(request), context, m -> result(m, samples, results));
    }

    @Override
    public void queryRange(QueryContext context, Range request, Results results) {
        SampleBuffer samples = new SampleBuffer(128);
        each(QUERY_RANGE, ApiWire.write(request), context, m -> result(m, samples, results));
    }

    /** Both kinds of answer have the same fields: 1 warning, 2 series, 3 statistics, 4 batch. */
    private void result(byte[] message, SampleBuffer samples, Results results) {
        try {
            ProtoReader r = new ProtoReader(message, 0, message.length);
            while (r.next()) {
                switch (r.field()) {
                    case 1 -> results.warning(r.readString());
                    case 2 -> series(r, samples, results);
                    case 3 -> {
                        int outer = r.enter();
                        long total = 0;
                        long peak = 0;
                        while (r.next()) {
                            switch (r.field()) {
                                case 1 -> total = r.readLong();
                                case 2 -> peak = r.readLong();
                                default -> r.skip();
                            }
                        }
                        r.leave(outer);
                        results.stats(total, peak);
                    }
                    case 4 -> {
                        int outer = r.enter();
                        while (r.next()) {
                            if (r.field() == 1) {
                                series(r, samples, results);
                            } else {
                                r.skip();
                            }
                        }
                        r.leave(outer);
                    }
                    default -> r.skip();
                }
            }
        } catch (io.varve.model.CorruptDataException e) {
            throw e.in(address, 0);
        }
    }

    private static void series(ProtoReader r, SampleBuffer samples, Results results) {
        int outer = r.enter();
        Labels labels = TimeSeriesCodec.read(r, samples);
        r.leave(outer);
        results.series(labels, samples);
    }
}
