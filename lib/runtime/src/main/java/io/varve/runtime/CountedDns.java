package io.varve.runtime;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.VarveException;
import java.util.List;

/**
 * Look-ups that are counted in {@code dns_lookups_total}, {@code dns_failures_total} and {@code dns_provider_results}, each with a prefix
 * that says who asks. Safe for many threads.
 */
public final class CountedDns {
    private final Dns dns;
    private final Counter lookups;
    private final Counter failures;
    private final Gauge results;

    /** @param prefix how the names of the metrics begin, with the last underscore */
    public CountedDns(Dns dns, String prefix, PrometheusRegistry registry) {
        this.dns = dns;
        lookups = Counter.builder().name(prefix + "dns_lookups_total").help("The number of DNS lookups resolutions attempts")
                .register(registry);
        failures = Counter.builder().name(prefix + "dns_failures_total").help("The number of DNS lookup failures").register(registry);
        results = Gauge.builder().name(prefix + "dns_provider_results")
                .help("The number of resolved endpoints for each configured address").labelNames("addr").register(registry);
    }

    /**
     * {@link Dns#resolve}. The number of results stays what it was where the look-up fails, as what was known stays in use.
     *
     * @throws VarveException as {@link Dns#resolve}
     */
    public List<String> resolve(String address) {
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
