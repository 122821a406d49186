package io.varve.runtime.grpc;

import io.grpc.EquivalentAddressGroup;
import io.grpc.NameResolver;
import io.grpc.NameResolverProvider;
import io.grpc.Status;
import io.grpc.StatusOr;
import io.grpc.SynchronizationContext;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.HostPort;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Tells a channel which servers share its calls: looks them up again and again, and sooner where one of them is lost. What was known stays
 * known while the look-up fails or finds nobody.
 */
final class GroupResolver extends NameResolver {
    /** No look-up begins sooner than that after the one before. */
    private static final long LEAST_DISTANCE_MILLIS = 1000;

    private final String name;
    private final Supplier<List<String>> lookup;
    private final long intervalMillis;
    private final SynchronizationContext context;
    private final Semaphore sooner = new Semaphore(0);
    private volatile @Nullable Thread thread;
    private List<EquivalentAddressGroup> known = List.of();

    private GroupResolver(String name, Supplier<List<String>> lookup, long intervalMillis, SynchronizationContext context) {
        this.name = name;
        this.lookup = lookup;
        this.intervalMillis = Math.max(LEAST_DISTANCE_MILLIS, intervalMillis);
        this.context = context;
    }

    @Override
    public String getServiceAuthority() {
        return name.substring(name.indexOf('+') + 1);
    }

    @Override
    public void start(Listener2 listener) {
        // A thread of the platform: what looks names up may keep its thread for seconds.
        thread = Thread.ofPlatform().daemon().name("look up " + name).start(() -> run(listener));
    }

    private void run(Listener2 listener) {
        try {
            while (true) {
                Status failed = null;
                try {
                    List<EquivalentAddressGroup> found = servers();
                    if (!found.isEmpty() && !found.equals(known)) {
                        known = found;
                        ResolutionResult result = ResolutionResult.newBuilder().setAddressesOrError(StatusOr.fromValue(found)).build();
                        context.execute(() -> listener.onResult2(result));
                    } else if (found.isEmpty()) {
                        failed = Status.UNAVAILABLE.withDescription("no addresses are known for " + name);
                    }
                } catch (VarveException | FlagException e) {
                    failed = Status.UNAVAILABLE.withDescription(e.getMessage());
                }
                if (failed != null && known.isEmpty()) {
                    Status status = failed;
                    context.execute(() -> listener.onError(status));
                }
                TimeUnit.MILLISECONDS.sleep(LEAST_DISTANCE_MILLIS);
                sooner.tryAcquire(intervalMillis - LEAST_DISTANCE_MILLIS, TimeUnit.MILLISECONDS);
                sooner.drainPermits();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private List<EquivalentAddressGroup> servers() {
        List<EquivalentAddressGroup> out = new ArrayList<>();
        for (String s : lookup.get()) {
            HostPort at = HostPort.parse(name, s);
            List<SocketAddress> addresses = new ArrayList<>();
            try {
                for (InetAddress a : InetAddress.getAllByName(at.host())) {
                    addresses.add(new InetSocketAddress(a, at.port()));
                }
            } catch (UnknownHostException e) {
                throw new UnavailableException("lookup IP addresses \"" + at.host() + "\": no such host", e);
            }
            out.add(new EquivalentAddressGroup(addresses));
        }
        return out;
    }

    @Override
    public void refresh() {
        sooner.release();
    }

    @Override
    public void shutdown() {
        Thread t = thread;
        if (t != null) {
            t.interrupt();
        }
    }

    /** Makes the resolver of one channel. */
    static final class Provider extends NameResolverProvider {
        static final String SCHEME = "thanos";

        private final String name;
        private final Supplier<List<String>> lookup;
        private final long intervalMillis;

        Provider(String name, Supplier<List<String>> lookup, long intervalMillis) {
            this.name = name;
            this.lookup = lookup;
            this.intervalMillis = intervalMillis;
        }

        @Override
        public NameResolver newNameResolver(URI target, NameResolver.Args args) {
            return new GroupResolver(name, lookup, intervalMillis, args.getSynchronizationContext());
        }

        @Override
        public String getDefaultScheme() {
            return SCHEME;
        }

        @Override
        protected boolean isAvailable() {
            return true;
        }

        @Override
        protected int priority() {
            return 5;
        }
    }
}
