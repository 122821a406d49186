package io.varve.querier.fanout;

import io.varve.model.Matcher;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.store.Answers;
import io.varve.store.ExemplarsApi;
import io.varve.store.MetadataApi;
import io.varve.store.RulesApi;
import io.varve.store.StatusApi;
import io.varve.store.StoreInfo;
import io.varve.store.TargetsApi;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;

/** The APIs beside Store, asked of every endpoint that announces them; answers are passed on as they come. Safe for many threads. */
public final class SideFanout implements RulesApi, TargetsApi, MetadataApi, ExemplarsApi, StatusApi {
    private static final Kind<RulesApi.Group> RULES = new Kind<>("rules", HeapBytes::of);
    private static final Kind<TargetsApi.Discovery> TARGETS = new Kind<>("targets", HeapBytes::of);
    private static final Kind<Map<String, List<MetadataApi.Meta>>> METADATA = new Kind<>("metadata", HeapBytes::ofMetadata);
    private static final Kind<ExemplarsApi.ExemplarSeries> EXEMPLARS = new Kind<>("exemplars", HeapBytes::of);
    private static final Kind<Map<String, StatusApi.TsdbStatistics>> STATISTICS = new Kind<>("TSDB statistics", HeapBytes::ofStatistics);

    private final Fanout fanout;
    private final ParserOptions language;

    /** @param language how queries for exemplars are read */
    public SideFanout(Fanout fanout, ParserOptions language) {
        this.fanout = fanout;
        this.language = language;
    }

    private interface Call<T> {
        void run(StoreRef store, Answers<T> answers);
    }

    /** One kind of answer: what it is called, and what one takes of the heap. */
    private record Kind<T>(String name, ToLongFunction<T> bytes) {
        /** How failures begin. */
        String fetching() {
            return "fetching " + name + " from ";
        }
    }

    private <T> void each(QueryContext context, StoreInfo.Service service, boolean partialResponse, Kind<T> kind, Answers<T> out,
            Call<T> call) {
        each(context, fanout.serving(context, service, partialResponse, s -> true), partialResponse, kind, out, call);
    }

    /** What stores send is reserved of the query's memory as it comes, until the query is over: whoever gets it may keep it until then. */
    private <T> void each(QueryContext context, List<StoreRef> stores, boolean partialResponse, Kind<T> kind, Answers<T> out,
            Call<T> call) {
        Map<StoreRef, Collected<T>> collected = new ConcurrentHashMap<>();
        Consumer<Collected<T>> tell = got -> {
            synchronized (out) {
                got.warnings.forEach(context::warn);
                got.items.forEach(out::item);
            }
        };
        fanout.forAll(context, stores, partialResponse, kind.fetching(), s -> {
            Collected<T> got = new Collected<>(context.budget(), kind);
            collected.put(s, got);
            call.run(s, got);
            return got;
        }, s -> {
            Collected<T> got = collected.get(s);
            if (got != null) {
                tell.accept(got); // what came before a stream broke off counts, as in Thanos
            }
        }, got -> got.warnings, tell);
        context.warnings().forEach(out::warning);
    }

    private static final class Collected<T> implements Answers<T> {
        private final MemoryBudget budget;
        private final Kind<T> kind;
        final List<T> items = new ArrayList<>();
        final List<String> warnings = new ArrayList<>();

        Collected(MemoryBudget budget, Kind<T> kind) {
            this.budget = budget;
            this.kind = kind;
        }

        @Override
        public void item(T item) {
            budget.reserve(kind.bytes.applyAsLong(item), kind.name);
            items.add(item);
        }

        @Override
        public void warning(String text) {
            if (text.isEmpty()) {
                return; // says nothing, in Thanos too
            }
            budget.reserve(HeapBytes.of(text), "warnings");
            warnings.add(text);
        }
    }

    @Override
    public void rules(QueryContext context, RulesApi.Request request, Answers<RulesApi.Group> answers) {
        each(context, StoreInfo.Service.RULES, request.partialResponse(), RULES, answers,
                (s, a) -> s.peer().rules().rules(context, request, a));
    }

    @Override
    public void targets(QueryContext context, TargetsApi.Request request, Answers<TargetsApi.Discovery> answers) {
        each(context, StoreInfo.Service.TARGETS, request.partialResponse(), TARGETS, answers,
                (s, a) -> s.peer().targets().targets(context, request, a));
    }

    @Override
    public void metadata(QueryContext context, MetadataApi.Request request, Answers<Map<String, List<MetadataApi.Meta>>> answers) {
        each(context, StoreInfo.Service.METADATA, request.partialResponse(), METADATA, answers,
                (s, a) -> s.peer().metadata().metadata(context, request, a));
    }

    @Override
    public void tsdbStatistics(QueryContext context, StatusApi.Request request, Answers<Map<String, StatusApi.TsdbStatistics>> answers) {
        List<StoreRef> stores = fanout.serving(context, StoreInfo.Service.STATUS, request.partialResponse(),
                s -> s.canMatch(request.matchers()));
        each(context, stores, request.partialResponse(), STATISTICS, answers,
                (s, a) -> s.peer().status().tsdbStatistics(context, request, a));
    }

    @Override
    public void exemplars(QueryContext context, ExemplarsApi.Request request, Answers<ExemplarsApi.ExemplarSeries> answers) {
        List<List<Matcher>> all = Selectors.of(Parser.parse(request.query(), language));
        if (all.isEmpty()) {
            return;
        }
        List<StoreRef> stores = fanout.serving(context, StoreInfo.Service.EXEMPLARS, request.partialResponse(),
                s -> all.stream().anyMatch(s::canMatch));
        each(context, stores, request.partialResponse(), EXEMPLARS, answers, (s, a) -> {
            String query = s.component().equals("query") ? request.query() : narrowed(s, all);
            s.peer().exemplars().exemplars(context,
                    new ExemplarsApi.Request(query, request.start(), request.end(), request.partialResponse()), a);
        });
    }

    /** The selectors that the endpoint can satisfy, without what its external labels satisfy, joined as one expression. */
    private static String narrowed(StoreRef s, List<List<Matcher>> all) {
        List<String> out = new ArrayList<>();
        for (List<Matcher> matchers : all) {
            if (!s.canMatch(matchers)) {
                continue;
            }
            List<Matcher> kept = matchers.stream().filter(m -> s.labelSets().stream().noneMatch(l -> l.has(m.name()))).toList();
            // Who is asked for by external labels alone is asked for everything; a selector must say something.
            out.add((kept.isEmpty() ? List.of(Selectors.EVERYTHING) : kept).stream().map(Matcher::toString)
                    .collect(Collectors.joining(", ", "{", "}")));
        }
        return String.join(" + ", out);
    }
}
