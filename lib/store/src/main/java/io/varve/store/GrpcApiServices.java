package io.varve.store;

import com.google.protobuf.MessageLite;
import io.grpc.ServerServiceDefinition;
import io.varve.model.Labels;
import io.varve.model.MemoryBudget;
import io.varve.model.SampleBuffer;
import io.varve.proto.thanos.ExemplarsGrpc;
import io.varve.proto.thanos.ExemplarsRequest;
import io.varve.proto.thanos.ExemplarsResponse;
import io.varve.proto.thanos.MetadataGrpc;
import io.varve.proto.thanos.MetricMetadataRequest;
import io.varve.proto.thanos.MetricMetadataResponse;
import io.varve.proto.thanos.QueryGrpc;
import io.varve.proto.thanos.QueryRangeRequest;
import io.varve.proto.thanos.QueryRequest;
import io.varve.proto.thanos.RulesGrpc;
import io.varve.proto.thanos.RulesRequest;
import io.varve.proto.thanos.RulesResponse;
import io.varve.proto.thanos.StatusGrpc;
import io.varve.proto.thanos.TSDBStatisticsRequest;
import io.varve.proto.thanos.TSDBStatisticsResponse;
import io.varve.proto.thanos.TargetsGrpc;
import io.varve.proto.thanos.TargetsRequest;
import io.varve.proto.thanos.TargetsResponse;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Serves the APIs beside Store over gRPC. Each call runs on a virtual thread of its own. Right for servers with a direct executor.
 */
public final class GrpcApiServices {
    private GrpcApiServices() {
    }

    /** Serves {@code thanos.Rules}. */
    public static ServerServiceDefinition rules(RulesApi api, Supplier<MemoryBudget> budgets) {
        return new Methods.Builder(RulesGrpc.getServiceDescriptor()).method(RulesGrpc.getRulesMethod(),
                new ServedCall(budgets, (context, bytes, out) -> api.rules(context,
                        ApiWire.read(Bytes.parse(RulesRequest.parser(), bytes)),
                        answers(out, g -> RulesResponse.newBuilder().setGroup(ApiWire.write(g)).build(),
                                w -> RulesResponse.newBuilder().setWarning(w).build()))))
                .build();
    }

    /** Serves {@code thanos.Targets}. */
    public static ServerServiceDefinition targets(TargetsApi api, Supplier<MemoryBudget> budgets) {
        return new Methods.Builder(TargetsGrpc.getServiceDescriptor()).method(TargetsGrpc.getTargetsMethod(),
                new ServedCall(budgets, (context, bytes, out) -> api.targets(context,
                        ApiWire.read(Bytes.parse(TargetsRequest.parser(), bytes)),
                        answers(out, t -> TargetsResponse.newBuilder().setTargets(ApiWire.write(t)).build(),
                                w -> TargetsResponse.newBuilder().setWarning(w).build()))))
                .build();
    }

    /** Serves {@code thanos.Metadata}. */
    public static ServerServiceDefinition metadata(MetadataApi api, Supplier<MemoryBudget> budgets) {
        return new Methods.Builder(MetadataGrpc.getServiceDescriptor()).method(MetadataGrpc.getMetricMetadataMethod(),
                new ServedCall(budgets, (context, bytes, out) -> api.metadata(context,
                        ApiWire.read(Bytes.parse(MetricMetadataRequest.parser(), bytes)),
                        answers(out, m -> MetricMetadataResponse.newBuilder().setMetadata(ApiWire.writeMetadata(m)).build(),
                                w -> MetricMetadataResponse.newBuilder().setWarning(w).build()))))
                .build();
    }

    /** Serves {@code thanos.Exemplars}. */
    public static ServerServiceDefinition exemplars(ExemplarsApi api, Supplier<MemoryBudget> budgets) {
        return new Methods.Builder(ExemplarsGrpc.getServiceDescriptor()).method(ExemplarsGrpc.getExemplarsMethod(),
                new ServedCall(budgets, (context, bytes, out) -> api.exemplars(context,
                        ApiWire.read(Bytes.parse(ExemplarsRequest.parser(), bytes)),
                        answers(out, e -> ExemplarsResponse.newBuilder().setData(ApiWire.write(e)).build(),
                                w -> ExemplarsResponse.newBuilder().setWarning(w).build()))))
                .build();
    }

    /** Serves {@code thanos.Status}. */
    public static ServerServiceDefinition status(StatusApi api, Supplier<MemoryBudget> budgets) {
        return new Methods.Builder(StatusGrpc.getServiceDescriptor()).method(StatusGrpc.getTSDBStatisticsMethod(),
                new ServedCall(budgets, (context, bytes, out) -> api.tsdbStatistics(context,
                        ApiWire.read(Bytes.parse(TSDBStatisticsRequest.parser(), bytes)),
                        answers(out, s -> TSDBStatisticsResponse.newBuilder().setStatistics(ApiWire.writeStatistics(s)).build(),
                                w -> TSDBStatisticsResponse.newBuilder().setWarning(w).build()))))
                .build();
    }

    /** Serves {@code thanos.Query}. */
    public static ServerServiceDefinition query(QueryApi api, Supplier<MemoryBudget> budgets) {
        return new Methods.Builder(QueryGrpc.getServiceDescriptor())
                .method(QueryGrpc.getQueryMethod(), new ServedCall(budgets, (context, bytes, out) -> {
                    QueryApi.Instant request = ApiWire.read(Bytes.parse(QueryRequest.parser(), bytes));
                    ResultFrames frames = new ResultFrames(out, request.options().batchSize());
                    api.query(context, request, frames);
                    frames.flush();
                }))
                .method(QueryGrpc.getQueryRangeMethod(), new ServedCall(budgets, (context, bytes, out) -> {
                    QueryApi.Range request = ApiWire.read(Bytes.parse(QueryRangeRequest.parser(), bytes));
                    ResultFrames frames = new ResultFrames(out, request.options().batchSize());
                    api.queryRange(context, request, frames);
                    frames.flush();
                })).build();
    }

    private static <T> Answers<T> answers(ServedCall.Out out, Function<T, MessageLite> item,
            Function<String, MessageLite> warning) {
        return new Answers<>() {
            @Override
            public void item(T answer) {
                out.send(item.apply(answer).toByteArray());
            }

            @Override
            public void warning(String text) {
                out.send(warning.apply(text).toByteArray());
            }
        };
    }

    /** Results as frames: 1 warning, 2 series, 3 statistics, 4 batch; the same for both methods. One thread. */
    private static final class ResultFrames implements QueryApi.Results {
        private static final int BATCH_BYTES = 1 << 20;
        private final ServedCall.Out out;
        private final long batchSize;
        private final ProtoWriter writer = new ProtoWriter(4096);
        private final java.util.ArrayList<byte[]> batch = new java.util.ArrayList<>();
        private long batchBytes;

        ResultFrames(ServedCall.Out out, long batchSize) {
            this.out = out;
            this.batchSize = Math.clamp(batchSize, 1, 10_000);
        }

        @Override
        public void series(Labels labels, SampleBuffer samples) {
            writer.clear();
            TimeSeriesCodec.write(writer, labels, samples);
            if (batchSize == 1) {
                writer.message(2, 0);
                out.send(writer);
                return;
            }
            writer.message(1, 0);
            batchBytes += writer.size();
            batch.add(writer.toByteArray());
            if (batch.size() >= batchSize || batchBytes >= BATCH_BYTES) {
                flush();
            }
        }

        @Override
        public void warning(String text) {
            flush();
            writer.clear();
            writer.string(1, text, true);
            out.send(writer);
        }

        @Override
        public void stats(long samplesTotal, long peakSamples) {
            flush();
            writer.clear();
            writer.integer(2, peakSamples);
            writer.integer(1, samplesTotal);
            writer.message(3, 0);
            out.send(writer);
        }

        void flush() {
            if (batch.isEmpty()) {
                return;
            }
            writer.clear();
            for (int i = batch.size() - 1; i >= 0; i--) {
                writer.raw(batch.get(i), 0, batch.get(i).length);
            }
            writer.message(4, 0);
            batch.clear();
            batchBytes = 0;
            out.send(writer);
        }
    }
}
