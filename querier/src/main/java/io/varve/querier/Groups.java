package io.varve.querier;

import io.grpc.ManagedChannel;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.VarveException;
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
    private final Dns dns;
    private final long intervalMillis;
    private final Counter lookups;
    private final Counter failures;
    private final Gauge results;

    /** @param intervalMillis between look-ups of one group */
    Groups(Channels channels, Dns dns, long intervalMillis, PrometheusRegistry registry) {
        this.channels = channels;
        this.dns = dns;
        this.intervalMillis = intervalMillis;
        lookups = Counter.builder().name("thanos_query_endpoint_groups_dns_lookups_total")
                .help("The number of DNS lookups resolutions attempts").register(registry);
        failures = Counter.builder().name("thanos_query_endpoint_groups_dns_failures_total")
                .help("The number of DNS lookup failures").register(registry);
        results = Gauge.builder().name("thanos_query_endpoint_groups_dns_provider_results")
                .help("The number of resolved endpoints for each configured address").labelNames("addr").register(registry);
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
        return channels.openGroup(address, () -> lookUp(address), intervalMillis);
    }

    private List<String> lookUp(String address) {
        if (!Dns.isDynamic(address)) {
            return List.of(address);
        }
        lookups.inc();
        try {
            List<String> all = dns.resolve(address);
            results.labelValues(address).set(all.size());
            return all;
        } catch (VarveException e) {
            failures.inc();
            throw e;
        }
    }
}
