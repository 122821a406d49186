package io.varve.store;

import io.grpc.BindableService;
import io.grpc.ServerServiceDefinition;
import io.varve.model.MemoryBudget;
import io.varve.model.UnavailableException;
import io.varve.proto.thanos.info.InfoGrpc;
import io.varve.proto.thanos.info.InfoRequest;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Serves {@code thanos.info.Info}. Fails while the process is not ready, so that queriers leave it out instead of believing it empty. */
public final class GrpcInfoService implements BindableService {
    private final Supplier<StoreInfo> info;
    private final BooleanSupplier ready;

    /**
     * @param info what the endpoint has now; called for every request
     * @param ready whether it can do its work
     */
    public GrpcInfoService(Supplier<StoreInfo> info, BooleanSupplier ready) {
        this.info = info;
        this.ready = ready;
    }

    @Override
    public ServerServiceDefinition bindService() {
        return new Methods.Builder(InfoGrpc.getServiceDescriptor())
                .method(InfoGrpc.getInfoMethod(), new ServedCall(() -> MemoryBudget.UNLIMITED, (context, bytes, out) -> {
                    // Says nothing, but what is no message is refused as anywhere else.
                    Bytes.parse(InfoRequest.parser(), bytes);
                    if (!ready.getAsBoolean()) {
                        throw new UnavailableException("Not ready");
                    }
                    out.send(Wire.write(info.get()).toByteArray());
                })).build();
    }
}
