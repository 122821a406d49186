package io.varve.store;

import io.grpc.Channel;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
import io.varve.model.QueryContext;
import io.varve.model.UnavailableException;
import io.varve.proto.thanos.StoreGrpc;
import io.varve.proto.thanos.info.InfoGrpc;
import io.varve.proto.thanos.info.InfoRequest;
import io.varve.proto.thanos.info.InfoResponse;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One remote endpoint over gRPC: its StoreAPI, and the other APIs of {@link StoreInfo.Service} through {@link #apis}. Right for channels with
 * a direct executor: nothing blocks their threads. Safe for many threads.
 */
public final class GrpcStoreClient implements StoreClient {
    private static final MethodDescriptor<byte[], byte[]> SERIES = Methods.raw(StoreGrpc.getSeriesMethod());
    private static final MethodDescriptor<byte[], byte[]> NAMES = Methods.raw(StoreGrpc.getLabelNamesMethod());
    private static final MethodDescriptor<byte[], byte[]> VALUES = Methods.raw(StoreGrpc.getLabelValuesMethod());
    private static final MethodDescriptor<byte[], byte[]> INFO = Methods.raw(InfoGrpc.getInfoMethod());

    private final ManagedChannel channel;
    private final String address;
    private final LabelTexts texts;

    /**
     * @param channel to the endpoint; shut down by {@link #close}
     * @param address host:port, for messages
     */
    public GrpcStoreClient(ManagedChannel channel, String address) {
        this(channel, address, new LabelTexts());
    }

    /**
     * @param channel to the endpoint; shut down by {@link #close}
     * @param address host:port, for messages
     * @param texts shared by clients whose series are merged
     */
    public GrpcStoreClient(ManagedChannel channel, String address, LabelTexts texts) {
        this.channel = channel;
        this.address = address;
        this.texts = texts;
    }

    /** The endpoint's other APIs. */
    public GrpcApis apis() {
        return new GrpcApis(channel, address);
    }

    @Override
    public StoreInfo info(QueryContext context) {
        return Wire.read(unary(channel, address, INFO, InfoRequest.getDefaultInstance().toByteArray(), context, InfoResponse.parser()));
    }

    @Override
    public StringsResponse labelNames(QueryContext context, LabelNamesRequest request) {
        return Wire.read(unary(channel, address, NAMES, Wire.write(request).toByteArray(), context,
                io.varve.proto.thanos.LabelNamesResponse.parser()));
    }

    @Override
    public StringsResponse labelValues(QueryContext context, LabelValuesRequest request) {
        return Wire.read(unary(channel, address, VALUES, Wire.write(request).toByteArray(), context,
                io.varve.proto.thanos.LabelValuesResponse.parser()));
    }

    @Override
    public SeriesStream series(QueryContext context, SeriesRequest request) {
        return new Frames(ClientStream.open(channel, address, SERIES, Wire.write(request).toByteArray(), context), address, texts);
    }

    @Override
    public void reconnect(long millis) {
        if (channel.getState(false) != ConnectivityState.TRANSIENT_FAILURE) {
            return;
        }
        channel.resetConnectBackoff();
        // Looked at, not waited for: a channel keeps whoever waits until its state changes, which may be never.
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        while (channel.getState(false) != ConnectivityState.READY && System.nanoTime() - end < 0) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
        }
    }

    @Override
    public void close() {
        channel.shutdownNow();
    }

    private static <M extends com.google.protobuf.MessageLite> M unary(Channel channel, String address,
            MethodDescriptor<byte[], byte[]> method, byte[] request, QueryContext context, com.google.protobuf.Parser<M> parser) {
        try (ClientStream stream = ClientStream.open(channel, address, method, request, context)) {
            byte[] answer = stream.next(0);
            if (answer == null) {
                throw new UnavailableException(address + " answered " + method.getFullMethodName() + " with nothing");
            }
            M message = parse(parser, answer, address);
            // The status comes after the message.
            stream.next(0);
            return message;
        }
    }

    static <M extends com.google.protobuf.MessageLite> M parse(com.google.protobuf.Parser<M> parser, byte[] data, String address) {
        try {
            return Bytes.parse(parser, data);
        } catch (StatusRuntimeException e) {
            throw new CorruptDataException(address, -1, String.valueOf(e.getStatus().getDescription()), e);
        }
    }

    /** Reads frames; one of them may hold several series. */
    private static final class Frames implements SeriesStream, SeriesFrames.Reader.Frames {
        private final ClientStream stream;
        private final SeriesFrames.Reader reader;
        private final ArrayDeque<Frame> pending = new ArrayDeque<>();
        private volatile List<String> blocks = List.of();
        private volatile boolean closed;

        Frames(ClientStream stream, String address, LabelTexts texts) {
            this.stream = stream;
            this.reader = new SeriesFrames.Reader(address, texts);
        }

        @Override
        public @Nullable Frame next(long timeoutMillis) {
            while (pending.isEmpty()) {
                byte[] message = stream.next(timeoutMillis);
                if (message == null) {
                    return null;
                }
                try {
                    reader.read(message, 0, message.length, this);
                } catch (CorruptDataException e) {
                    close();
                    throw e;
                }
            }
            if (closed) {
                throw new CancelledException(CancelledException.Reason.CANCELED, "stream was closed");
            }
            return pending.poll();
        }

        @Override
        public void series(StoreSeries series) {
            pending.add(new Frame.OfSeries(series));
        }

        @Override
        public void warning(String text) {
            if (!text.isEmpty()) { // says nothing, in Thanos too
                pending.add(new Frame.OfWarning(text));
            }
        }

        @Override
        public void queriedBlocks(List<String> ids) {
            blocks = List.copyOf(ids);
        }

        @Override
        public List<String> queriedBlocks() {
            return blocks;
        }

        @Override
        public void close() {
            closed = true;
            stream.close();
        }
    }
}
