package io.varve.store;

import io.varve.model.InvalidRequestException;
import io.varve.model.Matcher;
import io.varve.proto.thanos.ActiveTarget;
import io.varve.proto.thanos.AlertInstance;
import io.varve.proto.thanos.DroppedTarget;
import io.varve.proto.thanos.Exemplar;
import io.varve.proto.thanos.ExemplarData;
import io.varve.proto.thanos.ExemplarsRequest;
import io.varve.proto.thanos.HeadStatistics;
import io.varve.proto.thanos.Meta;
import io.varve.proto.thanos.MetricMetadata;
import io.varve.proto.thanos.MetricMetadataEntry;
import io.varve.proto.thanos.MetricMetadataRequest;
import io.varve.proto.thanos.QueryRangeRequest;
import io.varve.proto.thanos.QueryRequest;
import io.varve.proto.thanos.RecordingRule;
import io.varve.proto.thanos.Rule;
import io.varve.proto.thanos.RuleGroup;
import io.varve.proto.thanos.RulesRequest;
import io.varve.proto.thanos.StoreMatchers;
import io.varve.proto.thanos.TSDBStatistics;
import io.varve.proto.thanos.TSDBStatisticsEntry;
import io.varve.proto.thanos.TSDBStatisticsRequest;
import io.varve.proto.thanos.TargetDiscovery;
import io.varve.proto.thanos.TargetsRequest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Between the records of the APIs beside Store and the generated messages. Enumerations have the order of the wire. */
final class ApiWire {
    private ApiWire() {
    }

    /** The value of that number, the first where a peer sends a number that is not known. */
    private static <E> E value(E[] values, int number) {
        return number >= 0 && number < values.length ? values[number] : values[0];
    }

    // ---- rules

    static RulesRequest write(RulesApi.Request r) {
        return RulesRequest.newBuilder().setTypeValue(r.kind().ordinal()).setPartialResponseStrategy(Wire.strategy(r.partialResponse()))
                .addAllMatcherString(r.matchers()).addAllRuleName(r.names()).addAllRuleGroup(r.groups()).addAllFile(r.files()).build();
    }

    static RulesApi.Request read(RulesRequest r) {
        return new RulesApi.Request(value(RulesApi.Kind.values(), r.getTypeValue()), Wire.partialResponse(r.getPartialResponseStrategy()),
                List.copyOf(r.getMatcherStringList()), List.copyOf(r.getRuleNameList()), List.copyOf(r.getRuleGroupList()),
                List.copyOf(r.getFileList()));
    }

    static RuleGroup write(RulesApi.Group g) {
        RuleGroup.Builder b = RuleGroup.newBuilder().setName(g.name()).setFile(g.file()).setInterval(g.intervalSeconds())
                .setEvaluationDurationSeconds(g.evaluationSeconds()).setLastEvaluation(Wire.timestamp(g.lastEvaluation()))
                .setPartialResponseStrategy(Wire.strategy(!g.abortsOnPartialResponse())).setLimit(g.limit());
        for (RulesApi.Rule rule : g.rules()) {
            b.addRules(switch (rule) {
                case RulesApi.Recording r -> Rule.newBuilder()
                        .setRecording(RecordingRule.newBuilder().setName(r.name()).setQuery(r.query()).setLabels(Wire.labelSet(r.labels()))
                                .setHealth(r.health()).setLastError(r.lastError()).setEvaluationDurationSeconds(r.evaluationSeconds())
                                .setLastEvaluation(Wire.timestamp(r.lastEvaluation())))
                        .build();
                case RulesApi.Alerting a -> Rule.newBuilder().setAlert(alert(a)).build();
            });
        }
        return b.build();
    }

    private static io.varve.proto.thanos.Alert alert(RulesApi.Alerting a) {
        var b = io.varve.proto.thanos.Alert.newBuilder().setStateValue(a.state().ordinal()).setName(a.name()).setQuery(a.query())
                .setDurationSeconds(a.durationSeconds()).setKeepFiringForSeconds(a.keepFiringForSeconds())
                .setLabels(Wire.labelSet(a.labels())).setAnnotations(Wire.labelSet(a.annotations())).setHealth(a.health())
                .setLastError(a.lastError()).setEvaluationDurationSeconds(a.evaluationSeconds())
                .setLastEvaluation(Wire.timestamp(a.lastEvaluation()));
        for (RulesApi.Alert i : a.alerts()) {
            AlertInstance.Builder instance = AlertInstance.newBuilder().setLabels(Wire.labelSet(i.labels()))
                    .setAnnotations(Wire.labelSet(i.annotations())).setStateValue(i.state().ordinal()).setValue(i.value())
                    .setPartialResponseStrategy(Wire.strategy(!i.abortsOnPartialResponse()));
            java.time.Instant activeAt = i.activeAt();
            if (activeAt != null) {
                instance.setActiveAt(Wire.timestamp(activeAt));
            }
            b.addAlerts(instance);
        }
        return b.build();
    }

    static RulesApi.Group read(RuleGroup g) {
        List<RulesApi.Rule> rules = new ArrayList<>(g.getRulesCount());
        for (Rule rule : g.getRulesList()) {
            switch (rule.getResultCase()) {
                case RECORDING -> {
                    RecordingRule r = rule.getRecording();
                    rules.add(new RulesApi.Recording(r.getName(), r.getQuery(), Wire.labels(r.getLabels()), r.getHealth(), r.getLastError(),
                            r.getEvaluationDurationSeconds(), Wire.instant(r.hasLastEvaluation(), r.getLastEvaluation())));
                }
                case ALERT -> {
                    io.varve.proto.thanos.Alert a = rule.getAlert();
                    rules.add(new RulesApi.Alerting(value(RulesApi.State.values(), a.getStateValue()), a.getName(), a.getQuery(),
                            a.getDurationSeconds(), a.getKeepFiringForSeconds(), Wire.labels(a.getLabels()),
                            Wire.labels(a.getAnnotations()),
                            a.getAlertsList().stream().map(ApiWire::read).toList(), a.getHealth(), a.getLastError(),
                            a.getEvaluationDurationSeconds(), Wire.instant(a.hasLastEvaluation(), a.getLastEvaluation())));
                }
                case RESULT_NOT_SET -> {
                    // A kind of rule that is not known yet.
                }
            }
        }
        return new RulesApi.Group(g.getName(), g.getFile(), rules, g.getInterval(), g.getEvaluationDurationSeconds(),
                Wire.instant(g.hasLastEvaluation(), g.getLastEvaluation()), !Wire.partialResponse(g.getPartialResponseStrategy()),
                g.getLimit());
    }

    private static RulesApi.Alert read(AlertInstance i) {
        return new RulesApi.Alert(Wire.labels(i.getLabels()), Wire.labels(i.getAnnotations()),
                value(RulesApi.State.values(), i.getStateValue()), i.hasActiveAt() ? Wire.instant(true, i.getActiveAt()) : null,
                i.getValue(),
                !Wire.partialResponse(i.getPartialResponseStrategy()));
    }

    // ---- targets

    static TargetsRequest write(TargetsApi.Request r) {
        return TargetsRequest.newBuilder().setStateValue(r.kind().ordinal()).setPartialResponseStrategy(Wire.strategy(r.partialResponse()))
                .build();
    }

    static TargetsApi.Request read(TargetsRequest r) {
        return new TargetsApi.Request(value(TargetsApi.Kind.values(), r.getStateValue()),
                Wire.partialResponse(r.getPartialResponseStrategy()));
    }

    static TargetDiscovery write(TargetsApi.Discovery d) {
        TargetDiscovery.Builder b = TargetDiscovery.newBuilder();
        for (TargetsApi.Active t : d.active()) {
            b.addActiveTargets(ActiveTarget.newBuilder().setDiscoveredLabels(Wire.labelSet(t.discoveredLabels()))
                    .setLabels(Wire.labelSet(t.labels())).setScrapePool(t.scrapePool()).setScrapeUrl(t.scrapeUrl())
                    .setGlobalUrl(t.globalUrl()).setLastError(t.lastError()).setLastScrape(Wire.timestamp(t.lastScrape()))
                    .setLastScrapeDuration(t.lastScrapeSeconds()).setHealthValue(t.health().ordinal()));
        }
        for (TargetsApi.Dropped t : d.dropped()) {
            b.addDroppedTargets(DroppedTarget.newBuilder().setDiscoveredLabels(Wire.labelSet(t.discoveredLabels())));
        }
        return b.build();
    }

    static TargetsApi.Discovery read(TargetDiscovery d) {
        return new TargetsApi.Discovery(
                d.getActiveTargetsList().stream()
                        .map(t -> new TargetsApi.Active(Wire.labels(t.getDiscoveredLabels()), Wire.labels(t.getLabels()), t.getScrapePool(),
                                t.getScrapeUrl(), t.getGlobalUrl(), t.getLastError(), Wire.instant(t.hasLastScrape(), t.getLastScrape()),
                                t.getLastScrapeDuration(), value(TargetsApi.Health.values(), t.getHealthValue())))
                        .toList(),
                d.getDroppedTargetsList().stream().map(t -> new TargetsApi.Dropped(Wire.labels(t.getDiscoveredLabels()))).toList());
    }

    // ---- metadata

    static MetricMetadataRequest write(MetadataApi.Request r) {
        return MetricMetadataRequest.newBuilder().setMetric(r.metric()).setLimit(r.limit())
                .setPartialResponseStrategy(Wire.strategy(r.partialResponse())).build();
    }

    static MetadataApi.Request read(MetricMetadataRequest r) {
        return new MetadataApi.Request(r.getMetric(), r.getLimit(), Wire.partialResponse(r.getPartialResponseStrategy()));
    }

    static MetricMetadata writeMetadata(Map<String, List<MetadataApi.Meta>> metadata) {
        MetricMetadata.Builder b = MetricMetadata.newBuilder();
        metadata.forEach((name, metas) -> {
            MetricMetadataEntry.Builder e = MetricMetadataEntry.newBuilder();
            metas.forEach(m -> e.addMetas(Meta.newBuilder().setType(m.type()).setHelp(m.help()).setUnit(m.unit())));
            b.putMetadata(name, e.build());
        });
        return b.build();
    }

    static Map<String, List<MetadataApi.Meta>> read(MetricMetadata m) {
        Map<String, List<MetadataApi.Meta>> out = new LinkedHashMap<>();
        m.getMetadataMap().forEach((name, entry) -> out.put(name,
                entry.getMetasList().stream().map(x -> new MetadataApi.Meta(x.getType(), x.getHelp(), x.getUnit())).toList()));
        return out;
    }

    // ---- exemplars

    static ExemplarsRequest write(ExemplarsApi.Request r) {
        return ExemplarsRequest.newBuilder().setQuery(r.query()).setStart(r.start()).setEnd(r.end())
                .setPartialResponseStrategy(Wire.strategy(r.partialResponse())).build();
    }

    static ExemplarsApi.Request read(ExemplarsRequest r) {
        return new ExemplarsApi.Request(r.getQuery(), r.getStart(), r.getEnd(), Wire.partialResponse(r.getPartialResponseStrategy()));
    }

    static ExemplarData write(ExemplarsApi.ExemplarSeries s) {
        ExemplarData.Builder b = ExemplarData.newBuilder().setSeriesLabels(Wire.labelSet(s.series()));
        s.exemplars().forEach(
                e -> b.addExemplars(Exemplar.newBuilder().setLabels(Wire.labelSet(e.labels())).setValue(e.value()).setTs(e.timestamp())));
        return b.build();
    }

    static ExemplarsApi.ExemplarSeries read(ExemplarData d) {
        return new ExemplarsApi.ExemplarSeries(Wire.labels(d.getSeriesLabels()), d.getExemplarsList().stream()
                .map(e -> new ExemplarsApi.Exemplar(Wire.labels(e.getLabels()), e.getValue(), e.getTs())).toList());
    }

    // ---- statistics

    static TSDBStatisticsRequest write(StatusApi.Request r) {
        return TSDBStatisticsRequest.newBuilder().setTenant(r.tenant()).setLimit(r.limit())
                .setPartialResponseStrategy(Wire.strategy(r.partialResponse())).addAllMatchers(Wire.matcherList(r.matchers())).build();
    }

    static StatusApi.Request read(TSDBStatisticsRequest r) {
        return new StatusApi.Request(r.getTenant(), r.getLimit(), Wire.partialResponse(r.getPartialResponseStrategy()),
                Wire.matchers(r.getMatchersList()));
    }

    static TSDBStatistics writeStatistics(Map<String, StatusApi.TsdbStatistics> statistics) {
        TSDBStatistics.Builder b = TSDBStatistics.newBuilder();
        statistics.forEach((tenant, s) -> b.putStatistics(tenant, TSDBStatisticsEntry.newBuilder()
                .setHeadStatistics(HeadStatistics.newBuilder().setNumSeries(s.head().numSeries()).setNumLabelPairs(s.head().numLabelPairs())
                        .setChunkCount(s.head().chunkCount()).setMinTime(s.head().minTime()).setMaxTime(s.head().maxTime()))
                .addAllSeriesCountByMetricName(statisticList(s.seriesCountByMetricName()))
                .addAllLabelValueCountByLabelName(statisticList(s.labelValueCountByLabelName()))
                .addAllMemoryInBytesByLabelName(statisticList(s.memoryInBytesByLabelName()))
                .addAllSeriesCountByLabelValuePair(statisticList(s.seriesCountByLabelValuePair())).build()));
        return b.build();
    }

    private static List<io.varve.proto.thanos.Statistic> statisticList(List<StatusApi.Statistic> list) {
        return list.stream().map(s -> io.varve.proto.thanos.Statistic.newBuilder().setName(s.name()).setValue(s.value()).build()).toList();
    }

    private static List<StatusApi.Statistic> statistics(List<io.varve.proto.thanos.Statistic> list) {
        return list.stream().map(s -> new StatusApi.Statistic(s.getName(), s.getValue())).toList();
    }

    static Map<String, StatusApi.TsdbStatistics> read(TSDBStatistics s) {
        Map<String, StatusApi.TsdbStatistics> out = new LinkedHashMap<>();
        s.getStatisticsMap().forEach((tenant, e) -> {
            HeadStatistics h = e.getHeadStatistics();
            out.put(tenant, new StatusApi.TsdbStatistics(
                    new StatusApi.Head(h.getNumSeries(), h.getNumLabelPairs(), h.getChunkCount(), h.getMinTime(), h.getMaxTime()),
                    statistics(e.getSeriesCountByMetricNameList()), statistics(e.getLabelValueCountByLabelNameList()),
                    statistics(e.getMemoryInBytesByLabelNameList()), statistics(e.getSeriesCountByLabelValuePairList())));
        });
        return out;
    }

    // ---- queries

    static QueryRequest write(QueryApi.Instant r) {
        QueryApi.Options o = r.options();
        QueryRequest.Builder b = QueryRequest.newBuilder().setQuery(r.query()).setTimeSeconds(r.timeSeconds())
                .setTimeoutSeconds(o.timeoutSeconds()).setMaxResolutionSeconds(o.maxResolutionSeconds())
                .addAllReplicaLabels(o.replicaLabels()).addAllStoreMatchers(storeMatchers(o)).setEnableDedup(o.dedup())
                .setEnablePartialResponse(o.partialResponse()).setSkipChunks(o.skipChunks())
                .setLookbackDeltaSeconds(o.lookbackDeltaSeconds()).setEngineValue(o.engine().ordinal()).setResponseBatchSize(o.batchSize());
        if (o.shard().total() >= 1) {
            b.setShardInfo(Wire.shard(o.shard()));
        }
        return b.build();
    }

    static QueryRangeRequest write(QueryApi.Range r) {
        QueryApi.Options o = r.options();
        QueryRangeRequest.Builder b = QueryRangeRequest.newBuilder().setQuery(r.query()).setStartTimeSeconds(r.startSeconds())
                .setEndTimeSeconds(r.endSeconds()).setIntervalSeconds(r.intervalSeconds()).setTimeoutSeconds(o.timeoutSeconds())
                .setMaxResolutionSeconds(o.maxResolutionSeconds()).addAllReplicaLabels(o.replicaLabels())
                .addAllStoreMatchers(storeMatchers(o)).setEnableDedup(o.dedup()).setEnablePartialResponse(o.partialResponse())
                .setSkipChunks(o.skipChunks()).setLookbackDeltaSeconds(o.lookbackDeltaSeconds()).setEngineValue(o.engine().ordinal())
                .setResponseBatchSize(o.batchSize());
        if (o.shard().total() >= 1) {
            b.setShardInfo(Wire.shard(o.shard()));
        }
        return b.build();
    }

    static QueryApi.Instant read(QueryRequest r) {
        return new QueryApi.Instant(r.getQuery(), r.getTimeSeconds(),
                new QueryApi.Options(r.getTimeoutSeconds(), r.getMaxResolutionSeconds(), List.copyOf(r.getReplicaLabelsList()),
                        storeMatchers(r.getStoreMatchersList()), r.getEnableDedup(), r.getEnablePartialResponse(), r.getSkipChunks(),
                        Wire.shard(r.hasShardInfo(), r.getShardInfo()), r.getLookbackDeltaSeconds(),
                        engine(r.getEngineValue()), r.getResponseBatchSize()));
    }

    static QueryApi.Range read(QueryRangeRequest r) {
        return new QueryApi.Range(r.getQuery(), r.getStartTimeSeconds(), r.getEndTimeSeconds(), r.getIntervalSeconds(),
                new QueryApi.Options(r.getTimeoutSeconds(), r.getMaxResolutionSeconds(), List.copyOf(r.getReplicaLabelsList()),
                        storeMatchers(r.getStoreMatchersList()), r.getEnableDedup(), r.getEnablePartialResponse(), r.getSkipChunks(),
                        Wire.shard(r.hasShardInfo(), r.getShardInfo()), r.getLookbackDeltaSeconds(),
                        engine(r.getEngineValue()), r.getResponseBatchSize()));
    }

    private static QueryApi.Engine engine(int number) {
        if (number < 0 || number >= QueryApi.Engine.values().length) {
            throw new InvalidRequestException("invalid engine parameter");
        }
        return QueryApi.Engine.values()[number];
    }

    private static List<StoreMatchers> storeMatchers(QueryApi.Options o) {
        return o.storeMatchers().stream().map(m -> StoreMatchers.newBuilder().addAllLabelMatchers(Wire.matcherList(m)).build()).toList();
    }

    private static List<List<Matcher>> storeMatchers(List<StoreMatchers> list) {
        return list.stream().map(m -> Wire.matchers(m.getLabelMatchersList())).toList();
    }
}
