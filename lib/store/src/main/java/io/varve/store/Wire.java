package io.varve.store;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Timestamp;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.proto.thanos.Aggr;
import io.varve.proto.thanos.Label;
import io.varve.proto.thanos.LabelMatcher;
import io.varve.proto.thanos.LabelSet;
import io.varve.proto.thanos.PartialResponseStrategy;
import io.varve.proto.thanos.VarveSpans;
import io.varve.proto.thanos.hints.Block;
import io.varve.proto.thanos.hints.LabelNamesRequestHints;
import io.varve.proto.thanos.hints.LabelNamesResponseHints;
import io.varve.proto.thanos.hints.LabelValuesRequestHints;
import io.varve.proto.thanos.hints.LabelValuesResponseHints;
import io.varve.proto.thanos.hints.SeriesRequestHints;
import io.varve.proto.thanos.info.InfoResponse;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Between the records of this package and the generated messages of the StoreAPI and Info. */
final class Wire {
    private static final String HINTS = "type.googleapis.com/hintspb.";

    private Wire() {
    }

    // ---- base types

    static Labels labels(List<Label> labels) {
        String[] pairs = new String[labels.size() * 2];
        int i = 0;
        for (Label l : labels) {
            pairs[i++] = l.getName();
            pairs[i++] = l.getValue();
        }
        return SeriesFrames.sorted(pairs);
    }

    static Labels labels(LabelSet set) {
        return labels(set.getLabelsList());
    }

    static List<Label> labelList(Labels labels) {
        List<Label> out = new ArrayList<>(labels.size());
        labels.forEach((name, value) -> out.add(Label.newBuilder().setName(name).setValue(value).build()));
        return out;
    }

    static LabelSet labelSet(Labels labels) {
        return LabelSet.newBuilder().addAllLabels(labelList(labels)).build();
    }

    static List<Matcher> matchers(List<LabelMatcher> matchers) {
        List<Matcher> out = new ArrayList<>(matchers.size());
        for (LabelMatcher m : matchers) {
            Matcher.Type type = switch (m.getTypeValue()) {
                case 0 -> Matcher.Type.EQUAL;
                case 1 -> Matcher.Type.NOT_EQUAL;
                case 2 -> Matcher.Type.REGEX;
                case 3 -> Matcher.Type.NOT_REGEX;
                default -> throw new InvalidRequestException("unrecognized label matcher type " + m.getTypeValue());
            };
            out.add(Matcher.of(type, m.getName(), m.getValue()));
        }
        return out;
    }

    /** As Thanos' store gateway, which says more than a sidecar or a querier where matchers of names and values are bad. */
    private static List<Matcher> labelMatchers(List<LabelMatcher> matchers, HintsPolicy policy) {
        return matchers(matchers, policy == HintsPolicy.STRICT ? "translate request labels matchers: " : "");
    }

    private static List<Matcher> matchers(List<LabelMatcher> matchers, String during) {
        try {
            return matchers(matchers);
        } catch (InvalidRequestException e) {
            throw new InvalidRequestException(during + e.getMessage(), e);
        }
    }

    static List<LabelMatcher> matcherList(List<Matcher> matchers) {
        List<LabelMatcher> out = new ArrayList<>(matchers.size());
        for (Matcher m : matchers) {
            out.add(LabelMatcher.newBuilder().setTypeValue(m.type().ordinal()).setName(m.name()).setValue(m.value()).build());
        }
        return out;
    }

    static PartialResponseStrategy strategy(boolean partialResponse) {
        return partialResponse ? PartialResponseStrategy.WARN : PartialResponseStrategy.ABORT;
    }

    static boolean partialResponse(boolean disabled, PartialResponseStrategy strategy) {
        return !disabled && strategy != PartialResponseStrategy.ABORT;
    }

    static boolean partialResponse(PartialResponseStrategy strategy) {
        return strategy != PartialResponseStrategy.ABORT;
    }

    static Instant instant(boolean present, Timestamp t) {
        if (!present) {
            return RulesApi.NEVER;
        }
        // Beyond what an Instant can say there is only nonsense.
        long seconds = Math.clamp(t.getSeconds(), Instant.MIN.getEpochSecond() + 1, Instant.MAX.getEpochSecond() - 1);
        return Instant.ofEpochSecond(seconds, t.getNanos());
    }

    static Timestamp timestamp(Instant t) {
        return Timestamp.newBuilder().setSeconds(t.getEpochSecond()).setNanos(t.getNano()).build();
    }

    static ShardInfo shard(boolean present, io.varve.proto.thanos.ShardInfo s) {
        return present && s.getTotalShards() >= 1
                ? new ShardInfo(s.getShardIndex(), s.getTotalShards(), s.getBy(), List.copyOf(s.getLabelsList()))
                : ShardInfo.NONE;
    }

    static io.varve.proto.thanos.ShardInfo shard(ShardInfo s) {
        return io.varve.proto.thanos.ShardInfo.newBuilder().setShardIndex(s.index()).setTotalShards(s.total()).setBy(s.by())
                .addAllLabels(s.labels()).build();
    }

    // ---- requests

    static SeriesRequest read(io.varve.proto.thanos.SeriesRequest r, HintsPolicy policy) {
        Set<Aggregate> aggregates = EnumSet.noneOf(Aggregate.class);
        for (Aggr a : r.getAggregatesList()) {
            if (a != Aggr.UNRECOGNIZED) {
                aggregates.add(Aggregate.values()[a.getNumber()]);
            }
        }
        VarveSpans s = r.getVarveSpans();
        return new SeriesRequest(r.getMinTime(), r.getMaxTime(), matchers(r.getMatchersList()), r.getMaxResolutionWindow(),
                aggregates, partialResponse(r.getPartialResponseDisabled(), r.getPartialResponseStrategy()), r.getSkipChunks(),
                blockMatchers(r.hasHints(), r.getHints(), "SeriesRequestHints", "series", policy),
                List.copyOf(r.getWithoutReplicaLabelsList()),
                shard(r.hasShardInfo(), r.getShardInfo()), Math.max(0, r.getLimit()), r.getResponseBatchSize(),
                s.getStep() > 0 && s.getWindow() > 0
                        ? new SeriesRequest.Spans(s.getFirst(), s.getStep(), s.getWindow())
                        : SeriesRequest.Spans.ALL);
    }

    static io.varve.proto.thanos.SeriesRequest write(SeriesRequest r) {
        var b = io.varve.proto.thanos.SeriesRequest.newBuilder().setMinTime(r.minTime()).setMaxTime(r.maxTime())
                .addAllMatchers(matcherList(r.matchers())).setMaxResolutionWindow(r.maxResolutionMillis())
                .setPartialResponseDisabled(!r.partialResponse()).setPartialResponseStrategy(strategy(r.partialResponse()))
                .setSkipChunks(r.skipChunks()).addAllWithoutReplicaLabels(r.withoutReplicaLabels()).setLimit(r.limit())
                .setResponseBatchSize(r.batchSize());
        for (Aggregate a : Aggregate.values()) {
            if (r.aggregates().contains(a)) {
                b.addAggregatesValue(a.ordinal());
            }
        }
        if (!r.blockMatchers().isEmpty()) {
            b.setHints(any("SeriesRequestHints",
                    SeriesRequestHints.newBuilder().addAllBlockMatchers(matcherList(r.blockMatchers())).build().toByteString()));
        }
        if (r.shard().total() >= 1) {
            b.setShardInfo(shard(r.shard()));
        }
        if (!r.spans().equals(SeriesRequest.Spans.ALL)) {
            b.setVarveSpans(VarveSpans.newBuilder().setFirst(r.spans().first()).setStep(r.spans().step()).setWindow(r.spans().window()));
        }
        return b.build();
    }

    static LabelNamesRequest read(io.varve.proto.thanos.LabelNamesRequest r, HintsPolicy policy) {
        return new LabelNamesRequest(r.getStart(), r.getEnd(), labelMatchers(r.getMatchersList(), policy),
                partialResponse(r.getPartialResponseDisabled(), r.getPartialResponseStrategy()),
                blockMatchers(r.hasHints(), r.getHints(), "LabelNamesRequestHints", "label names", policy),
                List.copyOf(r.getWithoutReplicaLabelsList()), Math.max(0, r.getLimit()));
    }

    static io.varve.proto.thanos.LabelNamesRequest write(LabelNamesRequest r) {
        var b = io.varve.proto.thanos.LabelNamesRequest.newBuilder().setPartialResponseDisabled(!r.partialResponse())
                .setPartialResponseStrategy(strategy(r.partialResponse())).setStart(r.minTime()).setEnd(r.maxTime())
                .addAllMatchers(matcherList(r.matchers())).addAllWithoutReplicaLabels(r.withoutReplicaLabels()).setLimit(r.limit());
        if (!r.blockMatchers().isEmpty()) {
            b.setHints(any("LabelNamesRequestHints",
                    LabelNamesRequestHints.newBuilder().addAllBlockMatchers(matcherList(r.blockMatchers())).build().toByteString()));
        }
        return b.build();
    }

    static LabelValuesRequest read(io.varve.proto.thanos.LabelValuesRequest r, HintsPolicy policy) {
        return new LabelValuesRequest(r.getLabel(), r.getStart(), r.getEnd(), labelMatchers(r.getMatchersList(), policy),
                partialResponse(r.getPartialResponseDisabled(), r.getPartialResponseStrategy()),
                blockMatchers(r.hasHints(), r.getHints(), "LabelValuesRequestHints", "label values", policy),
                List.copyOf(r.getWithoutReplicaLabelsList()), Math.max(0, r.getLimit()));
    }

    static io.varve.proto.thanos.LabelValuesRequest write(LabelValuesRequest r) {
        var b = io.varve.proto.thanos.LabelValuesRequest.newBuilder().setLabel(r.label())
                .setPartialResponseDisabled(!r.partialResponse()).setPartialResponseStrategy(strategy(r.partialResponse()))
                .setStart(r.minTime()).setEnd(r.maxTime()).addAllMatchers(matcherList(r.matchers()))
                .addAllWithoutReplicaLabels(r.withoutReplicaLabels()).setLimit(r.limit());
        if (!r.blockMatchers().isEmpty()) {
            b.setHints(any("LabelValuesRequestHints",
                    LabelValuesRequestHints.newBuilder().addAllBlockMatchers(matcherList(r.blockMatchers())).build().toByteString()));
        }
        return b.build();
    }

    // ---- answers

    static io.varve.proto.thanos.LabelNamesResponse namesResponse(StringsResponse r) {
        var b = io.varve.proto.thanos.LabelNamesResponse.newBuilder().addAllNames(r.values()).addAllWarnings(r.warnings());
        if (!r.queriedBlocks().isEmpty()) {
            b.setHints(any("LabelNamesResponseHints",
                    LabelNamesResponseHints.newBuilder().addAllQueriedBlocks(blocks(r.queriedBlocks())).build().toByteString()));
        }
        return b.build();
    }

    static io.varve.proto.thanos.LabelValuesResponse valuesResponse(StringsResponse r) {
        var b = io.varve.proto.thanos.LabelValuesResponse.newBuilder().addAllValues(r.values()).addAllWarnings(r.warnings());
        if (!r.queriedBlocks().isEmpty()) {
            b.setHints(any("LabelValuesResponseHints",
                    LabelValuesResponseHints.newBuilder().addAllQueriedBlocks(blocks(r.queriedBlocks())).build().toByteString()));
        }
        return b.build();
    }

    static StringsResponse read(io.varve.proto.thanos.LabelNamesResponse r) {
        return new StringsResponse(List.copyOf(r.getNamesList()), List.copyOf(r.getWarningsList()), ids(r.getHints()));
    }

    static StringsResponse read(io.varve.proto.thanos.LabelValuesResponse r) {
        return new StringsResponse(List.copyOf(r.getValuesList()), List.copyOf(r.getWarningsList()), ids(r.getHints()));
    }

    static InfoResponse write(StoreInfo info) {
        InfoResponse.Builder b = InfoResponse.newBuilder().setComponentType(info.component());
        info.labelSets().forEach(l -> b.addLabelSets(labelSet(l)));
        StoreInfo.StoreSpan span = info.store();
        long min = Long.MIN_VALUE;
        long max = Long.MAX_VALUE;
        if (span != null) {
            min = span.minTime();
            max = span.maxTime();
            var s = io.varve.proto.thanos.info.StoreInfo.newBuilder().setMinTime(min).setMaxTime(max)
                    .setSupportsSharding(span.supportsSharding()).setSupportsWithoutReplicaLabels(span.supportsWithoutReplicaLabels());
            for (StoreInfo.TsdbInfo t : span.tsdbs()) {
                s.addTsdbInfos(io.varve.proto.thanos.info.TSDBInfo.newBuilder().setLabels(labelSet(t.labels())).setMinTime(t.minTime())
                        .setMaxTime(t.maxTime()));
            }
            b.setStore(s);
        }
        for (StoreInfo.Service service : info.services()) {
            switch (service) {
                case RULES -> b.setRules(io.varve.proto.thanos.info.RulesInfo.getDefaultInstance());
                case METADATA -> b.setMetricMetadata(io.varve.proto.thanos.info.MetricMetadataInfo.getDefaultInstance());
                case TARGETS -> b.setTargets(io.varve.proto.thanos.info.TargetsInfo.getDefaultInstance());
                case EXEMPLARS -> b.setExemplars(io.varve.proto.thanos.info.ExemplarsInfo.newBuilder().setMinTime(min).setMaxTime(max));
                case QUERY -> b.setQuery(io.varve.proto.thanos.info.QueryAPIInfo.getDefaultInstance());
                case STATUS -> b.setStatus(io.varve.proto.thanos.info.StatusInfo.getDefaultInstance());
            }
        }
        return b.build();
    }

    static StoreInfo read(InfoResponse r) {
        Set<StoreInfo.Service> services = EnumSet.noneOf(StoreInfo.Service.class);
        add(services, r.hasRules(), StoreInfo.Service.RULES);
        add(services, r.hasMetricMetadata(), StoreInfo.Service.METADATA);
        add(services, r.hasTargets(), StoreInfo.Service.TARGETS);
        add(services, r.hasExemplars(), StoreInfo.Service.EXEMPLARS);
        add(services, r.hasQuery(), StoreInfo.Service.QUERY);
        add(services, r.hasStatus(), StoreInfo.Service.STATUS);
        StoreInfo.StoreSpan span = null;
        if (r.hasStore()) {
            var s = r.getStore();
            span = new StoreInfo.StoreSpan(s.getMinTime(), s.getMaxTime(), s.getSupportsSharding(), s.getSupportsWithoutReplicaLabels(),
                    s.getTsdbInfosList().stream()
                            .map(t -> new StoreInfo.TsdbInfo(labels(t.getLabels()), t.getMinTime(), t.getMaxTime())).toList());
        }
        return new StoreInfo(r.getComponentType(), r.getLabelSetsList().stream().map(Wire::labels).toList(), span, Set.copyOf(services));
    }

    private static <T> void add(Set<T> to, boolean has, T what) {
        if (has) {
            to.add(what);
        }
    }

    // ---- hints

    private static Any any(String type, com.google.protobuf.ByteString value) {
        return Any.newBuilder().setTypeUrl(HINTS + type).setValue(value).build();
    }

    private static List<Block> blocks(List<String> ids) {
        return ids.stream().map(id -> Block.newBuilder().setId(id).build()).toList();
    }

    private static List<String> ids(Any hints) {
        try {
            List<Block> blocks = switch (typeName(hints)) {
                case "hintspb.LabelNamesResponseHints" -> LabelNamesResponseHints.parseFrom(hints.getValue()).getQueriedBlocksList();
                case "hintspb.LabelValuesResponseHints" -> LabelValuesResponseHints.parseFrom(hints.getValue()).getQueriedBlocksList();
                default -> List.of();
            };
            return blocks.stream().map(Block::getId).toList();
        } catch (InvalidProtocolBufferException e) {
            // Hints are hints: an answer is not lost because of them.
            return List.of();
        }
    }

    private static String typeName(Any any) {
        return any.getTypeUrl().substring(any.getTypeUrl().lastIndexOf('/') + 1);
    }

    private static List<Matcher> blockMatchers(boolean present, Any hints, String wanted, String call, HintsPolicy policy) {
        if (!present || policy == HintsPolicy.NONE) {
            return List.of();
        }
        if (hints.getTypeUrl().indexOf('/') < 0) {
            throw new InvalidRequestException(
                    "unmarshal " + call + " request hints: message type url \"" + hints.getTypeUrl() + "\" is invalid");
        }
        String got = typeName(hints);
        if (!got.equals("hintspb." + wanted)) {
            throw new InvalidRequestException(
                    "unmarshal " + call + " request hints: mismatched message type: got \"" + got + "\" want \"hintspb."
                            + wanted + "\"");
        }
        try {
            // All three have their matchers in field 1.
            return matchers(SeriesRequestHints.parseFrom(hints.getValue()).getBlockMatchersList(),
                    "translate request hints labels matchers: ");
        } catch (InvalidProtocolBufferException e) {
            throw new InvalidRequestException("unmarshal " + call + " request hints: " + e.getMessage(), e);
        }
    }
}
