package io.varve.querier;

import io.grpc.ManagedChannel;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.runtime.CountedDns;
import io.varve.runtime.Dns;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.HostPort;
import io.varve.runtime.grpc.Channels;
import java.util.List;

/** Endpoint groups: servers behind one name that have the same, so that one of them is asked at a time. Safe for many threads. */
final class Groups {
    /** How their names begin, in Thanos as here. */
    private static final String SCHEME = "thanos:///";

    private final Channels channels;
    private final CountedDns dns;
    private final long intervalMillis;

    /** @param intervalMillis between look-ups of one group */
    Groups(Channels channels, Dns dns, long intervalMillis, PrometheusRegistry registry) {
        this.channels = channels;
        this.dns = new CountedDns(dns, "thanos_query_endpoint_groups_", registry);
        this.intervalMillis = intervalMillis;
    }

    /**
     * The name that stands for a group.
     *
     * @throws FlagException where the address is neither host:port nor one to look up
     */
    static String name(String flag, String address) {
        if (!Dns.isDynamic(address)) {
            HostPort.parse(flag, address);
        }
        return SCHEME + address;
    }

    boolean is(String name) {
        return name.startsWith(SCHEME);
    }

    ManagedChannel open(String name) {
        String address = name.substring(SCHEME.length());
        return channels.openGroup(address, () -> Dns.isDynamic(address) ? dns.resolve(address) : List.of(address), intervalMillis);
    }
}
