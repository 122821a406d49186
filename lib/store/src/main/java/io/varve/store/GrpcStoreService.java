package io.varve.store;

import io.grpc.BindableService;
import io.grpc.ServerServiceDefinition;
import io.varve.model.MemoryBudget;
import io.varve.proto.thanos.StoreGrpc;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.function.Supplier;

/**
 * Serves a {@link Store} as {@code thanos.Store}. Each call runs on a virtual thread of its own; sending blocks while the client reads slowly.
 * Series are batched as the request asks (a negative size gets a warning alone, as from Thanos); failures become statuses by their kind.
 * Right for servers with a direct executor.
 */
public final class GrpcStoreService implements BindableService {
    /** A batch goes out early once it holds this many bytes of chunks: peers take larger messages, but nobody gains. */
    private static final long BATCH_BYTES = 1 << 20;

    private static final int FIRST_WRITER = 4096;
    private static final int MAX_KEPT = 2 << 20;
    /** What a series' labels and the lengths of its parts take in a frame, at a guess. */
    private static final int OVERHEAD = 400;

    private final Store store;
    private final HintsPolicy hints;
    private final Supplier<MemoryBudget> budgets;
    /** Of calls that are over: frames are written where others were, and not in memory that has to grow first. */
    private final ArrayBlockingQueue<ProtoWriter> writers = new ArrayBlockingQueue<>(Runtime.getRuntime().availableProcessors());

    /**
     * @param store what is served
     * @param hints what to do with hints that name blocks
     * @param budgets gives each call its memory budget
     */
    public GrpcStoreService(Store store, HintsPolicy hints, Supplier<MemoryBudget> budgets) {
        this.store = store;
        this.hints = hints;
        this.budgets = budgets;
    }

    @Override
    public ServerServiceDefinition bindService() {
        return new Methods.Builder(StoreGrpc.getServiceDescriptor())
                .method(StoreGrpc.getSeriesMethod(), new ServedCall(budgets, (context, bytes, out) -> {
                    SeriesRequest request = Wire.read(Bytes.parse(io.varve.proto.thanos.SeriesRequest.parser(), bytes), hints);
                    ProtoWriter used = writers.poll();
                    ProtoWriter writer = used != null ? used : new ProtoWriter(FIRST_WRITER);
                    Sink sink = new Sink(out, request.batchSize(), writer);
                    if (request.batchSize() < 0) {
                        sink.warning("response_batch_size " + request.batchSize() + " is negative: nothing is answered");
                        return;
                    }
                    store.series(context, request, sink);
                    sink.flush();
                    // After a failure nobody knows who still reads from it.
                    if (writer.capacity() <= MAX_KEPT) {
                        writers.offer(writer);
                    }
                }))
                .method(StoreGrpc.getLabelNamesMethod(), new ServedCall(budgets, (context, bytes, out) -> {
                    LabelNamesRequest request = Wire.read(Bytes.parse(io.varve.proto.thanos.LabelNamesRequest.parser(), bytes), hints);
                    out.send(Wire.namesResponse(store.labelNames(context, request)).toByteArray());
                }))
                .method(StoreGrpc.getLabelValuesMethod(), new ServedCall(budgets, (context, bytes, out) -> {
                    LabelValuesRequest request = Wire.read(Bytes.parse(io.varve.proto.thanos.LabelValuesRequest.parser(), bytes), hints);
                    out.send(Wire.valuesResponse(store.labelValues(context, request)).toByteArray());
                })).build();
    }

    /** Writes frames. One thread. */
    private static final class Sink implements SeriesSink {
        private final ServedCall.Out out;
        private final int batchSize;
        private final boolean hashes;
        private final boolean startTimestamps;
        private final ProtoWriter writer;
        private final List<StoreSeries> batch = new ArrayList<>();
        private long batchBytes;
        /** Told in front of the first frame that follows: a message of its own costs both sides a wake-up. */
        private List<String> blocks = List.of();

        Sink(ServedCall.Out out, long batchSize, ProtoWriter writer) {
            this.out = out;
            this.writer = writer;
            this.hashes = out.wantsHashes();
            this.startTimestamps = out.readsStartTimestamps();
            this.batchSize = Math.clamp(batchSize, 1, 10_000);
        }

        @Override
        public void series(StoreSeries found) {
            StoreSeries series = startTimestamps ? found : ChunkEncodings.plain(found);
            if (batchSize == 1) {
                tellBlocks();
                SeriesFrames.writeSeries(writer, series, hashes);
                out.send(writer);
                return;
            }
            batch.add(series);
            for (StoreChunk c : series.chunks()) {
                batchBytes += c.bytes();
            }
            if (batch.size() >= batchSize || batchBytes >= BATCH_BYTES) {
                flush();
            }
        }

        @Override
        public boolean ready(long millis) {
            // Most series are held back, for which nobody has to be ready.
            return batch.size() + 1 < batchSize || out.ready(millis);
        }

        @Override
        public void warning(String text) {
            flush();
            SeriesFrames.writeWarning(writer, text);
            out.send(writer);
        }

        @Override
        public void queriedBlocks(List<String> ids) {
            flush();
            blocks = ids;
        }

        private void tellBlocks() {
            if (!blocks.isEmpty()) {
                SeriesFrames.writeQueriedBlocks(writer, blocks);
                blocks = List.of();
                out.send(writer);
            }
        }

        /** Sends what is held back. */
        void flush() {
            tellBlocks();
            if (!batch.isEmpty()) {
                writer.clear();
                writer.room(batchBytes + batch.size() * (long) OVERHEAD);
                SeriesFrames.writeBatch(writer, batch, hashes);
                batch.clear();
                batchBytes = 0;
                out.send(writer);
            }
        }
    }
}
