package io.varve.querier;

import io.varve.block.Relabel;
import io.varve.model.GoQuote;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.PromDuration;
import io.varve.promql.Engine;
import io.varve.promql.EngineOptions;
import io.varve.promql.Feature;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.promql.parser.StringLiteral;
import io.varve.querier.api.ActiveQueries;
import io.varve.querier.api.Budgets;
import io.varve.querier.api.GrpcQueries;
import io.varve.querier.api.HttpApi;
import io.varve.querier.api.QueryService;
import io.varve.querier.api.SelectMetrics;
import io.varve.querier.api.SideApis;
import io.varve.querier.api.Web;
import io.varve.querier.dedup.DedupFunction;
import io.varve.querier.fanout.EndpointSet;
import io.varve.querier.fanout.Fanout;
import io.varve.querier.fanout.Peer;
import io.varve.querier.fanout.SideFanout;
import io.varve.runtime.Dns;
import io.varve.runtime.ProcessCommand;
import io.varve.runtime.ProcessContext;
import io.varve.runtime.flags.ByteSize;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.GoDuration;
import io.varve.runtime.flags.GrpcFlags;
import io.varve.runtime.flags.HostPort;
import io.varve.runtime.flags.HttpFlags;
import io.varve.runtime.flags.LimitsFlags;
import io.varve.runtime.flags.OneOf;
import io.varve.runtime.flags.PathOrContent;
import io.varve.runtime.flags.PrometheusDuration;
import io.varve.runtime.flags.Refuse;
import io.varve.runtime.flags.ReqlogFlags;
import io.varve.runtime.flags.SelectorFlags;
import io.varve.runtime.grpc.Channels;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.runtime.http.Links;
import io.varve.runtime.http.Routes;
import io.varve.store.GrpcApiServices;
import io.varve.store.GrpcInfoService;
import io.varve.store.GrpcStoreClient;
import io.varve.store.GrpcStoreService;
import io.varve.store.HintsPolicy;
import io.varve.store.LabelTexts;
import io.varve.store.LimitedStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code varve query}: PromQL over many stores, deduplicated. */
@Command(name = "query", description = "Query node exposing PromQL enabled Query API with data retrieved from multiple store nodes.")
public final class QueryCommand implements ProcessCommand {
    private static final Logger LOG = LoggerFactory.getLogger(QueryCommand.class);
    private static final long DEFAULT_MEMORY = 2L << 30;
    private static final String NO_TLS = "this build has no TLS towards endpoints";
    private static final String NO_SD = "this build finds endpoints by static addresses and DNS names only (--endpoint)";
    private static final String NO_DISTRIBUTED = "this build evaluates queries in the querier (--query.mode=local)";
    private static final long REFRESH_MILLIS = 5000;
    private static final long FIRST_ROUND_MILLIS = 5000;

    /** For picocli. */
    public QueryCommand() {
    }

    @Spec
    private CommandSpec spec = CommandSpec.create();
    @Mixin
    private HttpFlags http = new HttpFlags();
    @Mixin
    private GrpcFlags grpc = new GrpcFlags();
    @Mixin
    private ReqlogFlags reqlog = new ReqlogFlags();
    @Mixin
    private SelectorFlags selector = new SelectorFlags();
    @Mixin
    private LimitsFlags limits = new LimitsFlags();

    @Option(names = "--grpc-client-tls-secure", defaultValue = "false", description = "Not supported yet: TLS towards endpoints.")
    private boolean clientTls;
    @Option(names = "--grpc-client-tls-skip-verify", defaultValue = "false", description = "Not supported yet: TLS towards endpoints.")
    private boolean clientSkipVerify;
    @Option(names = "--grpc-client-tls-cert", defaultValue = "", description = "Not supported yet: TLS towards endpoints.")
    private String clientCert = "";
    @Option(names = "--grpc-client-tls-key", defaultValue = "", description = "Not supported yet: TLS towards endpoints.")
    private String clientKey = "";
    @Option(names = "--grpc-client-tls-ca", defaultValue = "", description = "Not supported yet: TLS towards endpoints.")
    private String clientCa = "";
    @Option(names = "--grpc-client-server-name", defaultValue = "", description = "Not supported yet: TLS towards endpoints.")
    private String clientServerName = "";
    @Option(names = "--grpc-client-tls-min-version", converter = GrpcFlags.TlsVersion.class, defaultValue = "1.3", description = "Least TLS version towards endpoints; without TLS it has nothing to act on.")
    private String clientTlsMinVersion = "1.3";
    @Option(names = "--grpc-compression", converter = Compression.class, defaultValue = "none", description = "Compression of requests to endpoints: snappy or none.")
    private String compression = "none";
    @Option(names = "--web.route-prefix", defaultValue = "", description = "Prefix of all paths of the API and the pages; that of --web.external-prefix where there is none.")
    private String routePrefix = "";
    @Option(names = "--web.external-prefix", defaultValue = "", description = "Prefix of links in pages, and of all paths where --web.route-prefix does not say otherwise.")
    private String externalPrefix = "";
    @Option(names = "--web.prefix-header", defaultValue = "", description = "Name of a request header whose value is the prefix of links in pages.")
    private String prefixHeader = "";
    @Option(names = "--web.disable-cors", defaultValue = "false", description = "Do not send CORS headers.")
    private boolean disableCors;
    @Option(names = "--query.timeout", converter = PrometheusDuration.class, defaultValue = "2m", description = "Longest time of a query.")
    private Duration timeout = Duration.ofMinutes(2);
    @Option(names = "--query.promql-engine", converter = EngineName.class, defaultValue = "prometheus", description = "Default of the engine parameter. Both names stand for the one engine; thanos makes queries explainable and analyzable.")
    private String engineName = "prometheus";
    @Option(names = "--query.disable-fallback", hidden = true, defaultValue = "false", description = "Nothing falls back here: there is one engine.")
    private boolean disableFallback;
    @Option(names = "--query.enable-x-functions", defaultValue = "false", description = "Not supported: xrate, xincrease and xdelta.")
    private boolean xFunctions;
    @Option(names = "--query.mode", converter = Mode.class, defaultValue = "local", description = "local; distributed is not supported yet.")
    private String mode = "local";
    @Option(names = "--query.max-concurrent", defaultValue = "20", description = "Queries at once.")
    private int maxConcurrent = 20;
    @Option(names = "--query.lookback-delta", converter = GoDuration.class, description = "How far instant selectors look back; 5m where it is not set.")
    private Duration lookback = Duration.ZERO;
    @Option(names = "--query.dynamic-lookback-delta", hidden = true, negatable = true, fallbackValue = "true", defaultValue = "true", description = "Look back further where coarse data is allowed.")
    private boolean dynamicLookback = true;
    @Option(names = "--query.max-concurrent-select", defaultValue = "4", description = "Selects of one query at once.")
    private int maxConcurrentSelect = 4;
    @Option(names = "--query.conn-metric.label", converter = ConnLabel.class, defaultValue = "external_labels,store_type", split = ",", description = "Labels of the connection metric: external_labels, store_type, ip_port. Repeatable.")
    private List<String> connLabels = new ArrayList<>();
    @Option(names = "--deduplication.func", converter = Dedup.class, defaultValue = "varve", description = "How replicas are merged: varve (one replica leads, others fill its gaps), penalty or chain (as Thanos; then everything else about reading is Thanos', too).")
    private String dedup = "varve";
    @Option(names = "--query.replica-label", description = "Labels that tell replicas apart; repeatable, or a comma list.")
    private List<String> replicaLabels = new ArrayList<>();
    @Option(names = "--query.partition-label", description = "Not supported: it belongs to --query.mode=distributed. Repeatable.")
    private List<String> partitionLabels = new ArrayList<>();
    @Option(names = "--query.distributed-with-overlapping-interval", hidden = true, defaultValue = "false", description = "Not supported: it belongs to --query.mode=distributed.")
    private boolean overlappingInterval;
    @Option(names = "--query.instant.default.max_source_resolution", hidden = true, converter = PrometheusDuration.class, defaultValue = "0s", description = "Coarsest data of instant queries that say auto.")
    private Duration instantResolution = Duration.ZERO;
    @Option(names = "--query.metadata.default-time-range", converter = GoDuration.class, defaultValue = "0s", description = "How far label and series calls without times look back; 0 = everywhere.")
    private Duration metadataRange = Duration.ZERO;
    @Option(names = "--selector-label", description = "Label that this querier adds to what it announces, name=\"value\". Repeatable.")
    private List<String> selectorLabels = new ArrayList<>();
    @Option(names = "--query.auto-downsampling", defaultValue = "false", description = "Use data as coarse as a fifth of the step where a query does not say; without it the finest that exists is used.")
    private boolean autoDownsampling;
    @Option(names = "--query.partial-response", negatable = true, fallbackValue = "true", defaultValue = "true", description = "Default of partial_response: a store that fails is a warning.")
    private boolean partialResponse = true;
    @Option(names = "--rule.partial-response", hidden = true, negatable = true, fallbackValue = "true", defaultValue = "true", description = "The same for rules.")
    private boolean rulePartial = true;
    @Option(names = "--target.partial-response", hidden = true, negatable = true, fallbackValue = "true", defaultValue = "true", description = "The same for targets.")
    private boolean targetPartial = true;
    @Option(names = "--metric-metadata.partial-response", hidden = true, negatable = true, fallbackValue = "true", defaultValue = "true", description = "The same for metadata.")
    private boolean metadataPartial = true;
    @Option(names = "--exemplar.partial-response", hidden = true, negatable = true, fallbackValue = "true", defaultValue = "true", description = "The same for exemplars.")
    private boolean exemplarPartial = true;
    @Option(names = "--status.partial-response", hidden = true, negatable = true, fallbackValue = "true", defaultValue = "true", description = "The same for TSDB statistics.")
    private boolean statusPartial = true;
    @Option(names = "--query.active-query-path", defaultValue = "", description = "Directory of the file queries.active; empty for none.")
    private String activePath = "";
    @Option(names = "--enable-feature", defaultValue = "", description = "Comma list of features, named as in Prometheus. Repeatable.")
    private List<String> enableFeatures = new ArrayList<>();
    @Option(names = "--query.default-evaluation-interval", converter = PrometheusDuration.class, defaultValue = "1m", description = "Step of subqueries that name none.")
    private Duration evaluationInterval = Duration.ofMinutes(1);
    @Option(names = "--query.default-step", converter = PrometheusDuration.class, defaultValue = "1s", description = "Least step of range queries that name none.")
    private Duration defaultStep = Duration.ofSeconds(1);
    @Option(names = "--store.response-timeout", converter = PrometheusDuration.class, defaultValue = "0ms", description = "How long a store may be silent; 0 = as long as the query may take.")
    private Duration responseTimeout = Duration.ZERO;
    @Option(names = "--alert.query-url", description = "Accepted; no page or answer shows it.")
    private String alertQueryUrl = "";
    @Option(names = "--grpc.proxy-strategy", hidden = true, converter = Strategy.class, defaultValue = "eager", description = "eager or lazy; streams are always read concurrently through short queues here, which is both.")
    private String proxyStrategy = "eager";
    @Option(names = "--query.lazy-retrieval-max-buffered-responses", hidden = true, defaultValue = "20", description = "Accepted; queues hold 4 batches of up to 64 series.")
    private int lazyBuffered = 20;
    @Option(names = "--query.telemetry.request-duration-seconds-quantiles", split = ",", defaultValue = "0.1,0.25,0.75,1.25,1.75,2.5,3,5,10", description = "Buckets of the select-duration metric.")
    private List<Double> durationBuckets = new ArrayList<>();
    @Option(names = "--query.telemetry.request-samples-quantiles", split = ",", defaultValue = "100,1000,10000,100000,1000000", description = "Classes of sample counts of that metric.")
    private List<Long> sampleClasses = new ArrayList<>();
    @Option(names = "--query.telemetry.request-series-seconds-quantiles", split = ",", defaultValue = "10,100,1000,10000,100000", description = "Classes of series counts of that metric.")
    private List<Long> seriesClasses = new ArrayList<>();
    @Option(names = "--query.tenant-header", defaultValue = "THANOS-TENANT", description = "HTTP header with the tenant's name.")
    private String tenantHeader = "THANOS-TENANT";
    @Option(names = "--query.default-tenant-id", defaultValue = "default-tenant", description = "Tenant of requests without that header.")
    private String defaultTenant = "default-tenant";
    @Option(names = "--query.tenant-certificate-field", converter = CertificateField.class, defaultValue = "", description = "Not supported yet: client certificates.")
    private String tenantCertificateField = "";
    @Option(names = "--query.enforce-tenancy", defaultValue = "false", description = "Bind every selector to the tenant.")
    private boolean enforceTenancy;
    @Option(names = "--query.tenant-label-name", defaultValue = "tenant_id", description = "Label that names the tenant.")
    private String tenantLabel = "tenant_id";
    @Option(names = "--store.sd-dns-interval", converter = PrometheusDuration.class, defaultValue = "30s", description = "Distance between DNS look-ups.")
    private Duration dnsInterval = Duration.ofSeconds(30);
    @Option(names = "--store.sd-dns-resolver", hidden = true, converter = Resolver.class, defaultValue = "miekgdns", description = "golang or miekgdns; both stand for the system's resolver.")
    private String dnsResolver = "miekgdns";
    @Option(names = "--store.unhealthy-timeout", converter = PrometheusDuration.class, defaultValue = "5m", description = "After how long a silent endpoint is forgotten.")
    private Duration unhealthyTimeout = Duration.ofMinutes(5);
    @Option(names = "--endpoint.info-timeout", hidden = true, converter = PrometheusDuration.class, defaultValue = "5s", description = "How long an endpoint may take to say what it has.")
    private Duration infoTimeout = Duration.ofSeconds(5);
    @Option(names = "--endpoint.sd-config-file", description = "Not supported yet: endpoint files.")
    private String sdConfigFile = "";
    @Option(names = "--endpoint.sd-config", description = "Not supported yet: endpoint configuration.")
    private String sdConfig = "";
    @Option(names = "--endpoint.sd-config-reload-interval", converter = PrometheusDuration.class, defaultValue = "5m", description = "Without --endpoint.sd-config it has nothing to act on.")
    private Duration sdReload = Duration.ofMinutes(5);
    @Option(names = "--store.sd-files", description = "Not supported yet: file discovery. Repeatable.")
    private List<String> sdFiles = new ArrayList<>();
    @Option(names = "--store.sd-interval", converter = PrometheusDuration.class, defaultValue = "5m", description = "Without --store.sd-files it has nothing to act on.")
    private Duration sdInterval = Duration.ofMinutes(5);
    @Option(names = "--endpoint", description = "Address of an endpoint: host:port, or with dns+, dnssrv+, dnssrvnoa+ or dnsdualstack+ before it. Repeatable.")
    private List<String> endpoints = new ArrayList<>();
    @Option(names = "--endpoint-group", description = "DNS name of endpoints that are alike: one of them is asked at a time. Repeatable.")
    private List<String> endpointGroups = new ArrayList<>();
    @Option(names = "--endpoint-strict", description = "Endpoint that is asked even while it does not answer. Repeatable.")
    private List<String> strictEndpoints = new ArrayList<>();
    @Option(names = "--endpoint-group-strict", description = "Group that is asked even while it does not answer. Repeatable.")
    private List<String> strictGroups = new ArrayList<>();
    @Option(names = "--inject-test-addresses", hidden = true, description = "Not supported: for Thanos' own tests. Repeatable.")
    private List<String> testAddresses = new ArrayList<>();

    // --- varve's own

    @Option(names = "--query.max-samples", defaultValue = "50000000", description = "Samples that one query may hold at once; 0 = no limit.")
    private long maxSamples = 50_000_000;
    @Option(names = "--query.max-series", defaultValue = "0", description = "Series that one selector may match; 0 = no limit.")
    private long maxSeries;
    @Option(names = "--query.max-returned-series", defaultValue = "0", description = "Series in one answer; 0 = no limit.")
    private int maxReturnedSeries;
    @Option(names = "--query.max-memory", converter = ByteSize.class, defaultValue = "0", description = "Memory of all queries together; 0 = half of the heap, at most 2GiB.")
    private long maxMemory;
    @Option(names = "--query.max-memory-per-query", converter = ByteSize.class, defaultValue = "0", description = "Memory of one query; 0 = what all together may have.")
    private long maxMemoryPerQuery;
    @Option(names = "--query.slow-log-threshold", converter = PrometheusDuration.class, defaultValue = "10s", description = "Log queries that take longer, with their plan; 0 = none.")
    private Duration slowLog = Duration.ofSeconds(10);
    @Option(names = "--query.log", defaultValue = "false", description = "Log every query.")
    private boolean logQueries;
    @Option(names = "--query.warm-up", converter = PrometheusDuration.class, defaultValue = "4s", description = "How long to answer made-up queries before being ready, so that the first real ones are not slow, and for three times as long afterwards while nobody asks; 0 = not at all.")
    private Duration warmUp = Duration.ofSeconds(4);
    @Option(names = "--remote-read.max-samples", defaultValue = "50000000", description = "Samples in one sampled remote read; 0 = no limit.")
    private long maxReadSamples = 50_000_000;

    @Override
    public String component() {
        return "query";
    }

    @Override
    public AutoCloseable launch(ProcessContext context) throws Exception {
        refuse();
        sayWhatHasNoEffect();
        DedupFunction function = DedupFunction.parse(dedup);
        List<String> replicas = commaLists(replicaLabels);
        Set<Feature> features = features();
        ParserOptions language = new ParserOptions(features.contains(Feature.EXPERIMENTAL_FUNCTIONS),
                features.contains(Feature.EXTENDED_RANGE_SELECTORS), features.contains(Feature.BINOP_FILL_MODIFIERS), true);
        Channels channels = new Channels(context.registry(),
                compression.equals("snappy") ? Channels.Compression.SNAPPY : Channels.Compression.NONE);
        context.onStop("grpc clients", channels);
        LabelTexts texts = new LabelTexts();
        Groups groups = new Groups(channels, Dns.SYSTEM, dnsInterval.toMillis(), context.registry());
        // Whatever was asked of an endpoint that is taken away may be answered.
        long closeMillis = Math.max(timeout.toMillis(), infoTimeout.toMillis());
        EndpointSet set = new EndpointSet(specs(), new EndpointSet.Config(infoTimeout.toMillis(), REFRESH_MILLIS, dnsInterval.toMillis(),
                unhealthyTimeout.toMillis(), closeMillis, connLabels), Dns.SYSTEM,
                address -> Peer.of(new GrpcStoreClient(groups.is(address) ? groups.open(address) : channels.open(address), address, texts)),
                storeSelector(), context.registry());
        context.onStop("endpoints", set);
        Fanout fanout = new Fanout(set, announced(), responseTimeout.toMillis(), context.registry());
        // A machine without a limit of its own gives a heap of many gigabytes: greedy queries are not to fill it.
        long memory = maxMemory > 0 ? maxMemory : Math.min(Runtime.getRuntime().maxMemory() / 2, DEFAULT_MEMORY);
        Budgets budgets = new Budgets(memory, maxMemoryPerQuery, maxConcurrent);
        long lookbackMillis = lookback.isZero() ? 300_000 : lookback.toMillis();
        Engine engine = new Engine(new EngineOptions(lookbackMillis, evaluationInterval.toMillis(), features, maxSamples,
                Runtime.getRuntime().availableProcessors()));
        ActiveQueries active = new ActiveQueries(activePath, maxConcurrent);
        QueryService queries = new QueryService(engine, fanout,
                new QueryService.Config(timeout.toMillis(), lookbackMillis, dynamicLookback, maxConcurrent, maxConcurrentSelect,
                        slowLog.toMillis(), logQueries),
                budgets, active, new SelectMetrics(durationBuckets, seriesClasses, sampleClasses, context.registry()), context.registry());
        context.onStop("queries", queries);
        SideFanout sideFanout = new SideFanout(fanout, language);
        HttpApi api = new HttpApi(queries, set,
                new HttpApi.Config(replicas, function, defaultStep.toMillis(), autoDownsampling, instantResolution.toMillis(),
                        metadataRange.toMillis(), partialResponse, rulePartial, targetPartial, metadataPartial, exemplarPartial,
                        statusPartial,
                        maxReturnedSeries, maxSeries, engineName.equals("thanos"), flagValues(), maxReadSamples),
                tenantHeader, defaultTenant, enforceTenancy, tenantLabel, language, new SideApis(queries, sideFanout, replicas));
        Routes.Builder routes = api.routes(
                Routes.builder().prefix(routePrefix.isEmpty() ? externalPrefix : routePrefix).cors(!disableCors).tenant(api::tenantOf));
        new Web(set, new Links(externalPrefix.isEmpty() ? routePrefix : externalPrefix, prefixHeader)).routes(routes);
        GrpcServer.Builder services = GrpcServer.builder().service(new GrpcInfoService(fanout::info, () -> context.probes().isReady()))
                .service(new GrpcStoreService(new LimitedStore(fanout, context.registry(), limits.series(), limits.samples()),
                        HintsPolicy.NONE, budgets::open))
                .service(GrpcApiServices.rules(sideFanout, budgets::open)).service(GrpcApiServices.targets(sideFanout, budgets::open))
                .service(GrpcApiServices.metadata(sideFanout, budgets::open)).service(GrpcApiServices.exemplars(
                        (c, r, a) -> GrpcQueries.unknownWhereUnparsable(() -> sideFanout.exemplars(c, r, a)), budgets::open))
                .service(GrpcApiServices.status(sideFanout, budgets::open))
                .service(GrpcApiServices.query(new GrpcQueries(queries, function,
                        new GrpcQueries.Defaults(replicas, instantResolution.toMillis()), maxSeries), budgets::open));
        context.startHttp(http, routes.build());
        context.startGrpc(grpc, services);
        if (context.alone() && warmUp.isPositive()) {
            WarmUp.run(warmUp, queries::wasAsked);
        }
        // Whoever asks right after "ready" is to see the endpoints that are there.
        set.awaitFirst(FIRST_ROUND_MILLIS);
        context.probes().ready(true);
        return () -> {
        };
    }

    /** Flags that tune what works otherwise here: nobody is refused for them, and nobody is left to believe that they did something. */
    private void sayWhatHasNoEffect() {
        withoutEffect("grpc.proxy-strategy", !proxyStrategy.equals("eager"), "streams are always read side by side through short queues");
        withoutEffect("query.lazy-retrieval-max-buffered-responses", lazyBuffered != 20, "queues hold 4 batches of up to 64 series");
        withoutEffect("alert.query-url", !alertQueryUrl.isEmpty(), "no page or answer shows it");
        withoutEffect("query.disable-fallback", disableFallback, "there is one engine");
        withoutEffect("store.sd-dns-resolver", !dnsResolver.equals("miekgdns"), "names are looked up by the system's resolver");
        withoutEffect("store.sd-interval", !sdInterval.equals(Duration.ofMinutes(5)), NO_SD);
        withoutEffect("endpoint.sd-config-reload-interval", !sdReload.equals(Duration.ofMinutes(5)), NO_SD);
    }

    private static void withoutEffect(String flag, boolean set, String why) {
        if (set) {
            LOG.atWarn().addKeyValue("flag", "--" + flag).addKeyValue("reason", why).log("flag has no effect");
        }
    }

    private void refuse() {
        Refuse.ifSet("grpc-client-tls-secure", clientTls, NO_TLS);
        Refuse.ifSet("grpc-client-tls-skip-verify", clientSkipVerify, NO_TLS);
        Refuse.ifSet("grpc-client-tls-cert", clientCert, NO_TLS);
        Refuse.ifSet("grpc-client-tls-key", clientKey, NO_TLS);
        Refuse.ifSet("grpc-client-tls-ca", clientCa, NO_TLS);
        Refuse.ifSet("grpc-client-server-name", clientServerName, NO_TLS);
        Refuse.ifSet("endpoint.sd-config-file", sdConfigFile, NO_SD);
        Refuse.ifSet("endpoint.sd-config", sdConfig, NO_SD);
        Refuse.ifSet("store.sd-files", sdFiles, NO_SD);
        Refuse.ifSet("query.partition-label", partitionLabels, NO_DISTRIBUTED);
        Refuse.ifSet("query.distributed-with-overlapping-interval", overlappingInterval, NO_DISTRIBUTED);
        Refuse.ifSet("query.enable-x-functions", xFunctions, "this build has no xrate, xincrease and xdelta");
        Refuse.ifSet("query.tenant-certificate-field", tenantCertificateField, "this build has no client certificates");
        Refuse.ifSet("inject-test-addresses", testAddresses, "it is for Thanos' own tests");
        if (mode.equals("distributed")) {
            throw new FlagException("flag --query.mode=distributed is not supported: " + NO_DISTRIBUTED);
        }
        if (timeout.isZero() || maxConcurrent <= 0 || maxConcurrentSelect <= 0) {
            throw new FlagException("--query.timeout, --query.max-concurrent and --query.max-concurrent-select must be positive");
        }
        if (defaultStep.isZero() || evaluationInterval.isZero()) {
            throw new FlagException("--query.default-step and --query.default-evaluation-interval must be positive");
        }
        if (enforceTenancy && tenantLabel.isEmpty()) {
            throw new FlagException("--query.tenant-label-name must not be empty with --query.enforce-tenancy");
        }
        reqlog.check();
        http.check();
        grpc.check();
    }

    private List<EndpointSet.Spec> specs() {
        List<EndpointSet.Spec> out = new ArrayList<>();
        for (String e : strictEndpoints) {
            if (Dns.isDynamic(e)) {
                throw new FlagException("--endpoint-strict: " + e
                        + " is a dynamically specified endpoint i.e. it uses DNS; strict mode is not allowed for it");
            }
            HostPort.parse("endpoint-strict", e);
            out.add(new EndpointSet.Spec(e, true, false));
        }
        for (String e : endpoints) {
            if (!Dns.isDynamic(e)) {
                HostPort.parse("endpoint", e);
            }
            out.add(new EndpointSet.Spec(e, false, false));
        }
        for (String e : endpointGroups) {
            out.add(new EndpointSet.Spec(Groups.name("endpoint-group", e), false, true));
        }
        for (String e : strictGroups) {
            out.add(new EndpointSet.Spec(Groups.name("endpoint-group-strict", e), true, true));
        }
        Set<String> seen = new LinkedHashSet<>();
        for (EndpointSet.Spec e : out) {
            if (!seen.add(e.address())) {
                LOG.atWarn().addKeyValue("address", e.address()).log("endpoint is configured more than once");
            }
        }
        return out;
    }

    private UnaryOperator<List<Labels>> storeSelector() {
        PathOrContent config = selector.relabelConfig();
        Optional<String> text = config.readExpanded();
        if (text.isEmpty()) {
            return l -> l;
        }
        Relabel relabel = relabel(text.get(), config.origin());
        return all -> all.stream().filter(l -> relabel.apply(l).isPresent()).toList();
    }

    private static Relabel relabel(String yaml, String origin) {
        try {
            return Relabel.parse(yaml, Set.of(Relabel.Action.values()));
        } catch (InvalidRequestException e) {
            throw new FlagException(origin + ": " + e.getMessage(), e);
        }
    }

    private List<Labels> announced() {
        Labels.Builder b = new Labels.Builder();
        for (String s : selectorLabels) {
            int eq = s.indexOf('=');
            if (eq <= 0) {
                throw new FlagException("parse selector labels: "
                        + (eq < 0 ? "unrecognized label " + GoQuote.quote(s) : "unsupported format for label " + s));
            }
            b.set(s.substring(0, eq), unquoted(s.substring(eq + 1)));
        }
        Labels l = b.build();
        return l.isEmpty() ? List.of() : List.of(l);
    }

    /** What a quoted text stands for; PromQL's texts are Go's. */
    private static String unquoted(String text) {
        boolean quoted = text.length() >= 2 && "\"`'".indexOf(text.charAt(0)) >= 0 && text.charAt(0) == text.charAt(text.length() - 1);
        try {
            if (quoted && Parser.parse(text, ParserOptions.DEFAULT) instanceof StringLiteral l) {
                return l.value();
            }
        } catch (InvalidRequestException e) {
            throw new FlagException("parse selector labels: unquote label value: " + text + ": " + e.getMessage(), e);
        }
        throw new FlagException("parse selector labels: unquote label value: " + text + " is no quoted text");
    }

    private Set<Feature> features() {
        try {
            return Feature.parse(String.join(",", enableFeatures));
        } catch (InvalidRequestException e) {
            throw new FlagException("--enable-feature: " + e.getMessage(), e);
        }
    }

    private static List<String> commaLists(List<String> given) {
        Set<String> out = new LinkedHashSet<>();
        for (String g : given) {
            for (String l : g.split(",")) {
                if (!l.isBlank()) {
                    out.add(l.strip());
                }
            }
        }
        return new ArrayList<>(out);
    }

    /** All flags with their values, for {@code /api/v1/status/flags}. */
    private Map<String, String> flagValues() {
        Map<String, String> out = new TreeMap<>();
        for (OptionSpec o : spec.options()) {
            if (o.longestName().startsWith("--") && !o.usageHelp() && !o.versionHelp()) {
                Object v = o.getValue();
                String text = v instanceof List<?> l
                        ? String.join(",", l.stream().map(String::valueOf).toList())
                        : v instanceof Duration d
                                ? d.isZero() ? "0s" : PromDuration.print(d.toMillis())
                                : v == null ? "" : String.valueOf(v);
                out.put(o.longestName().substring(2), text);
            }
        }
        return out;
    }

    static final class Compression extends OneOf {
        Compression() {
            super("snappy", "none");
        }
    }

    static final class EngineName extends OneOf {
        EngineName() {
            super("prometheus", "thanos");
        }
    }

    static final class Mode extends OneOf {
        Mode() {
            super("local", "distributed");
        }
    }

    static final class ConnLabel extends OneOf {
        ConnLabel() {
            super("external_labels", "store_type", "ip_port");
        }
    }

    static final class Dedup extends OneOf {
        Dedup() {
            super("varve", "penalty", "chain");
        }
    }

    static final class Strategy extends OneOf {
        Strategy() {
            super("eager", "lazy");
        }
    }

    static final class CertificateField extends OneOf {
        CertificateField() {
            super("", "organization", "organizationalUnit", "commonName");
        }
    }

    static final class Resolver extends OneOf {
        Resolver() {
            super("golang", "miekgdns");
        }
    }
}
