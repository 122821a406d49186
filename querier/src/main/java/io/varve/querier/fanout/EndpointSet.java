package io.varve.querier.fanout;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.CancelledException;
import io.varve.model.ErrorText;
import io.varve.model.LabelRegex;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.model.VarveException;
import io.varve.runtime.CountedDns;
import io.varve.runtime.Dns;
import io.varve.store.StoreInfo;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who is there: resolves addresses, asks every endpoint what it has every few seconds, forgets those that stay silent. Safe for many
 * threads; {@link #now} is a snapshot and costs nothing.
 */
public final class EndpointSet implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(EndpointSet.class);
    /** How long whoever did not answer may take to connect before it is asked again. */
    private static final long RECONNECT_MILLIS = 250;
    /** Longer lists of labels are cut in the connection metric, as Thanos cuts them. */
    private static final int MAX_METRIC_LABELS = 1000;
    private static final String NO_LABELS = "no_external_labels";
    private static final Set<String> COMPONENTS = Set.of("query", "rule", "sidecar", "store", "receive", "debug");
    private static final String UNKNOWN_COMPONENT = "unknown-store-api";
    private static final String TOO_LATE = "rpc error: code = DeadlineExceeded desc = context deadline exceeded";

    /**
     * One configured address.
     *
     * @param address host:port, maybe with a DNS prefix; of a group, its name
     * @param strict asked even while it does not answer
     * @param group one endpoint behind which several servers share the work; whoever dials it looks them up
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
     * @param closeMillis how long calls to an endpoint that is no longer configured may go on
     * @param metricLabels labels of the connection metric
     */
    public record Config(long infoTimeoutMillis, long refreshMillis, long dnsMillis, long unhealthyMillis, long closeMillis,
            List<String> metricLabels) {
    }

    /**
     * One line of {@code /api/v1/stores}.
     *
     * @param component one that Thanos knows, or {@code unknown-store-api}
     * @param lastCheckMillis when it answered last; {@link Long#MIN_VALUE} never
     * @param lastError why it does not answer now
     * @param labelSets those that are not empty
     */
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
        /** When it answered last, or when it was first heard of. */
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
    private final CountedDns dns;
    private final Function<String, Peer> dial;
    private final UnaryOperator<List<Labels>> selector;
    private final Map<String, Endpoint> endpoints = new LinkedHashMap<>();
    private final Map<String, List<String>> resolved = new LinkedHashMap<>();
    private final Gauge connections;
    /** Values of its labels as they were set last. */
    private Set<List<String>> counted = Set.of();
    private final Counter duplicates;
    private final List<Thread> threads = new ArrayList<>();
    /** Wakes whoever asks endpoints: a name has other addresses now. */
    private final Semaphore changed = new Semaphore(0);
    private final CountDownLatch firstNames;
    private final CountDownLatch firstRound = new CountDownLatch(1);
    /** Names that nothing is known behind, and why. */
    private final Map<String, String> unresolved = new LinkedHashMap<>();
    private volatile Snapshot snapshot = new Snapshot(List.of(), List.of(), List.of());
    private volatile boolean closed;

    /**
     * Starts asking.
     *
     * @param dial opens a client to host:port, or to a group of that name
     * @param selector keeps those label sets that are to be served
     */
    public EndpointSet(List<Spec> specs, Config config, Dns dns, Function<String, Peer> dial,
            UnaryOperator<List<Labels>> selector, PrometheusRegistry registry) {
        this.specs = List.copyOf(specs);
        this.config = config;
        this.dns = new CountedDns(dns, "thanos_query_endpoints_", registry);
        this.dial = dial;
        this.selector = selector;
        connections = Gauge.builder().name("thanos_store_nodes_grpc_connections")
                .help("Number of gRPC connection to Store APIs. Opened connection means healthy store APIs available for Querier.")
                .labelNames(config.metricLabels.toArray(String[]::new)).register(registry);
        duplicates = Counter.builder().name("thanos_query_duplicated_endpoint_addresses_total")
                .help("The number of times a duplicated endpoint addresses is detected from the different configs in query")
                .register(registry);
        // Whoever asks before anybody has answered is told who is missing.
        for (Spec s : this.specs) {
            unresolved.put(s.address, "it has not been asked yet");
        }
        List<String> names = new ArrayList<>();
        for (Spec s : this.specs) {
            if (s.group || !Dns.isDynamic(s.address)) {
                known(s.address, List.of(s.address));
            } else if (!names.contains(s.address)) {
                names.add(s.address);
            }
        }
        firstNames = new CountDownLatch(names.size());
        publish();
        names.forEach(n -> threads.add(Thread.ofVirtual().name("names").start(() -> look(n))));
        threads.add(Thread.ofVirtual().name("endpoints").start(this::run));
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
                changed.drainPermits();
                boolean all = firstNames.getCount() == 0;
                round();
                if (all) {
                    firstRound.countDown();
                }
                changed.tryAcquire(config.refreshMillis, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                if (closed) {
                    return;
                }
            } catch (RuntimeException e) {
                LOG.atError().setCause(e).log("refreshing endpoints failed");
            }
        }
    }

    /**
     * Looks one name up again and again: a name server that does not answer must keep neither other names nor the endpoints that are known
     * waiting. On threads of the platform, because what looks up keeps its thread.
     */
    private void look(String name) {
        boolean first = true;
        while (!closed) {
            try {
                Thread t = Thread.ofPlatform().daemon().name("look up " + name).start(() -> resolve(name));
                t.join();
                if (first) {
                    first = false;
                    firstNames.countDown();
                    changed.release();
                }
                TimeUnit.MILLISECONDS.sleep(config.dnsMillis);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private void resolve(String name) {
        try {
            known(name, dns.resolve(name));
        } catch (RuntimeException e) {
            // What was known stays known: a name server that is down must not empty the querier.
            synchronized (endpoints) {
                resolved.putIfAbsent(name, List.of());
                found(name, !resolved.get(name).isEmpty(), ErrorText.of(e));
            }
            LOG.atWarn().addKeyValue("address", name).addKeyValue("err", ErrorText.of(e)).setCause(e instanceof VarveException ? null : e)
                    .log("DNS look-up failed");
        }
    }

    private void known(String name, List<String> addresses) {
        boolean other;
        synchronized (endpoints) {
            other = !addresses.equals(resolved.put(name, addresses));
            found(name, !addresses.isEmpty(), "no addresses are known for it");
        }
        if (other) {
            changed.release();
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
        long now = System.currentTimeMillis();
        List<Endpoint> gone = new ArrayList<>();
        List<Endpoint> all;
        synchronized (endpoints) {
            if (closed) {
                return; // nobody would close what is opened now
            }
            for (Spec s : specs) {
                for (String a : resolved.getOrDefault(s.address, List.of())) {
                    if (!wanted.add(a)) {
                        duplicates.inc();
                    }
                    strict.merge(a, s.strict, Boolean::logicalOr);
                    if (s.group || !Dns.isDynamic(s.address)) {
                        fixed.add(a);
                    }
                }
            }
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
        gone.forEach(this::closeLater);
        publish();
        CountDownLatch left = new CountDownLatch(all.size());
        for (Endpoint e : all) {
            Thread.ofVirtual().name("info " + e.address).start(() -> {
                try {
                    // At once: whoever answers slowly does not keep the others waiting.
                    if (check(e)) {
                        publish();
                    }
                } finally {
                    left.countDown();
                }
            });
        }
        left.await(config.infoTimeoutMillis + 1000, TimeUnit.MILLISECONDS);
        // When each of them answered last.
        publish();
    }

    /** Asks one endpoint; whether it is otherwise than before. */
    private boolean check(Endpoint e) {
        StoreInfo info = null;
        String error = null;
        boolean silent;
        synchronized (endpoints) {
            silent = e.error != null;
        }
        if (silent) {
            // A connection that failed often waits for minutes before its next attempt; a process that was restarted must not.
            e.peer.store().reconnect(Math.min(RECONNECT_MILLIS, config.infoTimeoutMillis));
        }
        try (QueryContext c = new QueryContext(config.infoTimeoutMillis, MemoryBudget.UNLIMITED)) {
            info = e.peer.store().info(c);
        } catch (CancelledException x) {
            error = x.reason() == CancelledException.Reason.TIMEOUT ? TOO_LATE : x.getMessage();
        } catch (VarveException x) {
            error = x.getMessage();
        } catch (RuntimeException x) {
            error = "asking for info: " + x;
            LOG.atError().addKeyValue("address", e.address).setCause(x).log("asking for info failed");
        }
        long now = System.currentTimeMillis();
        synchronized (endpoints) {
            boolean wasGood = e.error == null && e.info != null;
            boolean other = !e.checked || !Objects.equals(error, e.error) || info != null && !info.equals(e.info);
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
            return other;
        }
    }

    private void publish() {
        List<StoreRef> there = new ArrayList<>();
        List<Missing> notThere = new ArrayList<>();
        List<Status> shown = new ArrayList<>();
        Map<List<String>, Integer> counts = new LinkedHashMap<>();
        long now = System.currentTimeMillis();
        synchronized (endpoints) {
            if (closed) {
                return;
            }
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
                    shown.add(new Status(e.address, component(info), info == null ? Long.MIN_VALUE : e.lastGoodMillis, error,
                            sets.stream().filter(l -> !l.isEmpty()).toList(), min, max));
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
                        span == null
                                ? List.of()
                                : span.tsdbs().stream().filter(t -> kept.contains(t.labels()) || !sets.contains(t.labels())).toList(),
                        info == null || span != null, span != null && span.supportsSharding(),
                        span == null || span.supportsWithoutReplicaLabels(), info == null ? Set.of() : info.services(), e.strict,
                        e.peer));
                if (info != null && error == null) {
                    counts.merge(metricLabels(e.address, info), 1, Integer::sum);
                }
            }
            snapshot = new Snapshot(List.copyOf(there), List.copyOf(notThere), List.copyOf(shown));
            // Never all away at once: somebody may be looking.
            counts.forEach((labels, n) -> connections.labelValues(labels.toArray(String[]::new)).set(n));
            counted.stream().filter(l -> !counts.containsKey(l)).forEach(l -> connections.remove(l.toArray(String[]::new)));
            counted = Set.copyOf(counts.keySet());
        }
    }

    private static String component(@Nullable StoreInfo info) {
        return info != null && COMPONENTS.contains(info.component()) ? info.component() : UNKNOWN_COMPONENT;
    }

    private List<String> metricLabels(String address, StoreInfo info) {
        List<String> out = new ArrayList<>();
        for (String l : config.metricLabels) {
            out.add(switch (l) {
                case "external_labels" -> cut(info.labelSets().stream().filter(x -> !x.isEmpty()).map(Labels::toString).sorted()
                        .collect(Collectors.joining(",")));
                case "store_type" -> component(info);
                default -> address;
            });
        }
        return out;
    }

    private static String cut(String labels) {
        if (labels.isEmpty()) {
            return NO_LABELS;
        }
        if (labels.length() <= MAX_METRIC_LABELS) {
            return labels;
        }
        int end = MAX_METRIC_LABELS - 1;
        return labels.substring(0, Character.isHighSurrogate(labels.charAt(end - 1)) ? end - 1 : end) + "}";
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
        values.forEach((n, vs) -> out.add(Matcher.of(Matcher.Type.REGEX, n, LabelRegex.anyOf(vs))));
        return out;
    }

    private void closeLater(Endpoint e) {
        LOG.atInfo().addKeyValue("address", e.address).log("endpoint is no longer configured");
        Thread.ofVirtual().name("close " + e.address).start(() -> {
            try {
                TimeUnit.MILLISECONDS.sleep(config.closeMillis);
            } catch (InterruptedException x) {
                Thread.currentThread().interrupt();
            }
            e.peer.store().close();
        });
    }

    @Override
    public void close() {
        closed = true;
        threads.forEach(Thread::interrupt);
        synchronized (endpoints) {
            endpoints.values().forEach(e -> e.peer.store().close());
            endpoints.clear();
            snapshot = new Snapshot(List.of(), List.of(), List.of());
        }
    }
}
