package io.varve.querier.fanout;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.LabelRegex;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.model.VarveException;
import io.varve.runtime.Dns;
import io.varve.store.StoreInfo;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who is there: resolves addresses, asks every endpoint what it has every few seconds, forgets those that stay silent. Safe for many
 * threads; {@link #now} is a snapshot and costs nothing.
 */
public final class EndpointSet implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(EndpointSet.class);
    private static final long CLOSE_GRACE_MILLIS = 150_000;

    /**
     * One configured address.
     *
     * @param address host:port, maybe with a DNS prefix
     * @param strict asked even while it does not answer
     * @param group one endpoint behind which several servers share the work
     */
    public record Spec(String address, boolean strict, boolean group) {
    }

    /**
     * How it works.
     *
     * @param infoTimeoutMillis how long an endpoint may take to say what it has
     * @param refreshMillis distance between such questions
     * @param dnsMillis distance between DNS look-ups
     * @param unhealthyMillis after how long a silent endpoint is forgotten
     * @param metricLabels labels of the connection metric
     */
    public record Config(long infoTimeoutMillis, long refreshMillis, long dnsMillis, long unhealthyMillis, List<String> metricLabels) {
    }

    /** One line of {@code /api/v1/stores}. */
    public record Status(String address, String component, long lastCheckMillis, @Nullable String lastError, List<Labels> labelSets,
            long minTime, long maxTime) {
    }

    /** An endpoint that should be there and does not say what it has, or a name behind which no endpoint was found. */
    public record Missing(String address, String error, List<Labels> labelSets, long minTime, long maxTime) {
        boolean canMatter(long min, long max, List<Matcher> matchers) {
            return minTime <= max && maxTime >= min
                    && (labelSets.isEmpty() || labelSets.stream().anyMatch(l -> StoreRef.matches(l, matchers)));
        }
    }

    /**
     * All at one moment: whoever is not among the stores is among the missing.
     *
     * @param stores those that are there, and strict ones in any case
     * @param missing those that should be there and are not
     * @param statuses what {@code /api/v1/stores} shows
     */
    public record Snapshot(List<StoreRef> stores, List<Missing> missing, List<Status> statuses) {
        /** Whether there is no endpoint at all. */
        public boolean isEmpty() {
            return stores.isEmpty() && missing.isEmpty();
        }
    }

    private static final class Endpoint {
        final String address;
        final Peer peer;
        boolean strict;
        boolean configured;
        @Nullable
        StoreInfo info;
        @Nullable
        String error;
        long lastCheckMillis;
        long lastGoodMillis;
        boolean checked;

        Endpoint(String address, Peer peer, long now) {
            this.address = address;
            this.peer = peer;
            this.lastGoodMillis = now;
        }
    }

    private final List<Spec> specs;
    private final Config config;
    private final Dns dns;
    private final Function<String, Peer> dial;
    private final UnaryOperator<List<Labels>> selector;
    private final Map<String, Endpoint> endpoints = new LinkedHashMap<>();
    private final Map<String, List<String>> resolved = new LinkedHashMap<>();
    private final Gauge connections;
    private final Counter lookups;
    private final Counter failures;
    private final Counter duplicates;
    private final Thread thread;
    private final CountDownLatch firstRound = new CountDownLatch(1);
    /** Names that nothing is known behind, and why. */
    private final Map<String, String> unresolved = new LinkedHashMap<>();
    private volatile Snapshot snapshot = new Snapshot(List.of(), List.of(), List.of());
    private volatile boolean closed;
    private long resolvedAt = Long.MIN_VALUE;

    /**
     * Starts asking.
     *
     * @param dial opens a client to host:port
     * @param selector keeps those label sets that are to be served
     */
    public EndpointSet(List<Spec> specs, Config config, Dns dns, Function<String, Peer> dial,
            UnaryOperator<List<Labels>> selector, PrometheusRegistry registry) {
        this.specs = List.copyOf(specs);
        this.config = config;
        this.dns = dns;
        this.dial = dial;
        this.selector = selector;
        connections = Gauge.builder().name("thanos_store_nodes_grpc_connections")
                .help("Number of gRPC connection to Store APIs. Opened connection means healthy store APIs available for Querier.")
                .labelNames(config.metricLabels.toArray(String[]::new)).register(registry);
        lookups = Counter.builder().name("thanos_query_endpoints_dns_lookups_total")
                .help("The number of DNS lookups resolutions attempts").register(registry);
        failures = Counter.builder().name("thanos_query_endpoints_dns_failures_total")
                .help("The number of DNS lookup failures").register(registry);
        duplicates = Counter.builder().name("thanos_query_duplicated_endpoint_addresses_total")
                .help("The number of times a duplicated endpoint addresses is detected from the different configs in query")
                .register(registry);
        // Whoever asks before anybody has answered is told who is missing.
        for (Spec s : this.specs) {
            unresolved.put(s.address, "it has not been asked yet");
        }
        publish();
        thread = Thread.ofVirtual().name("endpoints").start(this::run);
    }

    /** Who is there now and who is not. */
    public Snapshot now() {
        return snapshot;
    }

    /** Waits until every endpoint was asked once, at most that long. */
    public void awaitFirst(long millis) throws InterruptedException {
        firstRound.await(millis, TimeUnit.MILLISECONDS);
    }

    private void run() {
        while (!closed) {
            try {
                resolve();
                round();
                firstRound.countDown();
                TimeUnit.MILLISECONDS.sleep(config.refreshMillis);
            } catch (InterruptedException e) {
                if (closed) {
                    return;
                }
            } catch (RuntimeException e) {
                LOG.atError().setCause(e).log("refreshing endpoints failed");
            }
        }
    }

    private void resolve() {
        long now = System.currentTimeMillis();
        if (resolvedAt != Long.MIN_VALUE && now - resolvedAt < config.dnsMillis) {
            return;
        }
        resolvedAt = now;
        for (Spec s : specs) {
            if (!Dns.isDynamic(s.address) || s.group) {
                resolved.put(s.address, List.of(s.address));
                found(s.address, true, "");
                continue;
            }
            lookups.inc();
            try {
                List<String> all = dns.resolve(s.address);
                resolved.put(s.address, all);
                found(s.address, !all.isEmpty(), "no addresses are known for it");
            } catch (VarveException e) {
                // What was known stays known: a name server that is down must not empty the querier.
                failures.inc();
                resolved.putIfAbsent(s.address, List.of());
                found(s.address, !resolved.get(s.address).isEmpty(), e.getMessage());
                LOG.atWarn().addKeyValue("address", s.address).addKeyValue("err", e.getMessage()).log("DNS look-up failed");
            }
        }
    }

    private void found(String name, boolean something, String why) {
        synchronized (endpoints) {
            if (something) {
                unresolved.remove(name);
            } else {
                unresolved.put(name, why);
            }
        }
    }

    private void round() throws InterruptedException {
        Set<String> wanted = new LinkedHashSet<>();
        Map<String, Boolean> strict = new LinkedHashMap<>();
        Set<String> fixed = new HashSet<>();
        for (Spec s : specs) {
            for (String a : resolved.getOrDefault(s.address, List.of())) {
                if (!wanted.add(a)) {
                    duplicates.inc();
                }
                strict.merge(a, s.strict, Boolean::logicalOr);
                if (!Dns.isDynamic(s.address)) {
                    fixed.add(a);
                }
            }
        }
        long now = System.currentTimeMillis();
        List<Endpoint> gone = new ArrayList<>();
        List<Endpoint> all;
        synchronized (endpoints) {
            for (String a : wanted) {
                Endpoint e = endpoints.computeIfAbsent(a, k -> new Endpoint(k, dial.apply(k), now));
                e.strict = strict.getOrDefault(a, false);
                e.configured = fixed.contains(a);
            }
            endpoints.values().removeIf(e -> {
                boolean lost = !wanted.contains(e.address);
                if (lost) {
                    gone.add(e);
                }
                return lost;
            });
            all = new ArrayList<>(endpoints.values());
        }
        gone.forEach(EndpointSet::closeLater);
        publish();
        CountDownLatch left = new CountDownLatch(all.size());
        for (Endpoint e : all) {
            Thread.ofVirtual().name("info " + e.address).start(() -> {
                try {
                    check(e);
                    // At once: whoever answers slowly does not keep the others waiting.
                    publish();
                } finally {
                    left.countDown();
                }
            });
        }
        left.await(config.infoTimeoutMillis + 1000, TimeUnit.MILLISECONDS);
    }

    private void check(Endpoint e) {
        StoreInfo info = null;
        String error = null;
        try (QueryContext c = new QueryContext(config.infoTimeoutMillis, MemoryBudget.UNLIMITED)) {
            info = e.peer.store().info(c);
        } catch (VarveException x) {
            error = x.getMessage();
        } catch (RuntimeException x) {
            error = "asking for info: " + x;
            LOG.atError().addKeyValue("address", e.address).setCause(x).log("asking for info failed");
        }
        long now = System.currentTimeMillis();
        synchronized (endpoints) {
            boolean wasGood = e.error == null && e.info != null;
            e.lastCheckMillis = now;
            e.checked = true;
            if (info != null) {
                if (!wasGood) {
                    LOG.atInfo().addKeyValue("address", e.address).addKeyValue("component", info.component()).log("endpoint answers");
                }
                e.info = info;
                e.error = null;
                e.lastGoodMillis = now;
            } else {
                if (wasGood || e.error == null) {
                    LOG.atWarn().addKeyValue("address", e.address).addKeyValue("err", error).log("endpoint does not answer");
                }
                e.error = error;
            }
        }
    }

    private void publish() {
        List<StoreRef> there = new ArrayList<>();
        List<Missing> notThere = new ArrayList<>();
        List<Status> shown = new ArrayList<>();
        Map<List<String>, Integer> counts = new LinkedHashMap<>();
        long now = System.currentTimeMillis();
        synchronized (endpoints) {
            unresolved.forEach((name, why) -> notThere.add(new Missing(name, why, List.of(), Long.MIN_VALUE, Long.MAX_VALUE)));
            for (Endpoint e : endpoints.values()) {
                StoreInfo info = e.info;
                String error = e.error;
                StoreInfo.StoreSpan span = info == null ? null : info.store();
                long min = span == null ? Long.MIN_VALUE : span.minTime();
                long max = span == null ? Long.MAX_VALUE : span.maxTime();
                List<Labels> sets = info == null ? List.of() : info.labelSets();
                boolean good = error == null && info != null;
                if (e.checked && (good || e.strict || info != null && now - e.lastGoodMillis < config.unhealthyMillis)) {
                    shown.add(new Status(e.address, info == null ? "" : info.component(), e.lastCheckMillis, error, sets, min, max));
                }
                List<Labels> kept = info == null || sets.isEmpty() ? sets : selector.apply(sets);
                if (info != null && !sets.isEmpty() && kept.isEmpty()) {
                    continue;
                }
                if (!good && !e.strict) {
                    if (e.configured || now - e.lastGoodMillis < config.unhealthyMillis) {
                        notThere.add(new Missing(e.address, e.checked ? String.valueOf(error) : "it has not answered yet", kept, min, max));
                    }
                    continue;
                }
                there.add(new StoreRef(e.address, info == null ? "" : info.component(), kept, narrowing(sets, kept), min, max,
                        info == null || span != null, span != null && span.supportsSharding(),
                        span == null || span.supportsWithoutReplicaLabels(), info == null ? Set.of() : info.services(), e.strict,
                        e.peer));
                if (good) {
                    counts.merge(metricLabels(e.address, info), 1, Integer::sum);
                }
            }
            snapshot = new Snapshot(List.copyOf(there), List.copyOf(notThere), List.copyOf(shown));
            connections.clear();
            counts.forEach((labels, n) -> connections.labelValues(labels.toArray(String[]::new)).set(n));
        }
    }

    private List<String> metricLabels(String address, @Nullable StoreInfo info) {
        List<String> out = new ArrayList<>();
        for (String l : config.metricLabels) {
            out.add(switch (l) {
                case "external_labels" -> info == null
                        ? ""
                        : info.labelSets().stream().map(Labels::toString)
                                .reduce((a, b) -> a + "," + b).orElse("");
                case "store_type" -> info == null ? "" : info.component();
                default -> address;
            });
        }
        return out;
    }

    /** Matchers that keep a store to those of its label sets that the selector kept. */
    static List<Matcher> narrowing(List<Labels> all, List<Labels> kept) {
        if (kept.size() == all.size()) {
            return List.of();
        }
        Map<String, Set<String>> values = new TreeMap<>();
        for (Labels l : kept) {
            l.forEach((n, v) -> values.computeIfAbsent(n, k -> new LinkedHashSet<>()).add(v));
        }
        List<Matcher> out = new ArrayList<>();
        values.forEach((n, vs) -> {
            List<String> quoted = new ArrayList<>();
            vs.forEach(v -> quoted.add(quoteRegex(v)));
            out.add(Matcher.of(Matcher.Type.REGEX, n, String.join("|", quoted)));
        });
        return out;
    }

    /** A pattern that matches exactly this text. */
    static String quoteRegex(String s) {
        StringBuilder sb = new StringBuilder();
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if ("\\.+*?()|[]{}^$".indexOf(c) >= 0) {
                sb.append('\\');
            }
            sb.append(c);
        }
        return LabelRegex.compile(sb.toString()).pattern();
    }

    private static void closeLater(Endpoint e) {
        LOG.atInfo().addKeyValue("address", e.address).log("endpoint is no longer configured");
        Thread.ofVirtual().name("close " + e.address).start(() -> {
            try {
                TimeUnit.MILLISECONDS.sleep(CLOSE_GRACE_MILLIS);
            } catch (InterruptedException x) {
                Thread.currentThread().interrupt();
            }
            e.peer.store().close();
        });
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
        synchronized (endpoints) {
            endpoints.values().forEach(e -> e.peer.store().close());
            endpoints.clear();
        }
        snapshot = new Snapshot(List.of(), List.of(), List.of());
    }
}
