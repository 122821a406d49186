package io.varve.querier.api;

import io.varve.model.Coverage;
import io.varve.model.QueryContext;
import io.varve.runtime.http.Response;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Writes {@code {"status":…,"data":…,"warnings":…,"infos":…}} and the coverage report. */
final class Envelope {
    /** The compact coverage report, on every answer that asked stores. */
    static final String COVERAGE_HEADER = "X-Varve-Coverage";
    private static final int MAX_HEADER = 2000;

    /** Writes the {@code data} member. */
    interface Data {
        void write(JsonOut out) throws IOException;
    }

    private Envelope() {
    }

    /**
     * @param context the query, null where no store was asked
     * @param storeWarnings what makes the answer one that must not be kept by caches
     * @param withCoverage whether the whole report goes into the answer
     */
    static void success(Response response, @Nullable QueryContext context, List<String> warnings, List<String> infos, boolean noStore,
            boolean withCoverage, Data data) throws IOException {
        response.header("Content-Type", "application/json");
        if (noStore) {
            response.header("Cache-Control", "no-store");
        }
        if (context != null) {
            response.header(COVERAGE_HEADER, compact(context.coverage()));
        }
        try (OutputStream body = response.body()) {
            JsonOut out = new JsonOut(body);
            out.open('{').name("status").string("success").name("data");
            data.write(out);
            if (!warnings.isEmpty()) {
                out.name("warnings").strings(warnings);
            }
            if (!infos.isEmpty()) {
                out.name("infos").strings(infos);
            }
            if (withCoverage && context != null) {
                out.name("coverage");
                coverage(out, context.coverage());
            }
            out.close('}');
            out.flush();
        }
    }

    static void error(Response response, ApiException e) throws IOException {
        response.status(e.status());
        response.header("Content-Type", "application/json");
        response.header("Cache-Control", "no-store");
        StringBuilder sb = new StringBuilder("{\"status\":\"error\",\"errorType\":\"").append(e.type()).append("\",\"error\":");
        io.varve.model.JsonText.appendString(sb, e.getMessage());
        response.send(sb.append('}').toString().getBytes(StandardCharsets.UTF_8));
    }

    /** One store's parts joined: the worst outcome, all series. */
    private record Store(Coverage.Outcome outcome, long min, long max, long series, String detail) {
        Store with(Coverage.Part p) {
            return new Store(outcome.compareTo(p.outcome()) >= 0 ? outcome : p.outcome(), Math.min(min, p.minTime()),
                    Math.max(max, p.maxTime()), series + p.series(),
                    detail.isEmpty() || detail.contains(p.detail()) && !p.detail().isEmpty()
                            ? detail.isEmpty() ? p.detail() : detail
                            : p.detail().isEmpty() ? detail : detail + "; " + p.detail());
        }
    }

    private static Map<String, Store> stores(Coverage coverage) {
        Map<String, Store> out = new LinkedHashMap<>();
        for (Coverage.Part p : coverage.parts()) {
            out.merge(p.store(), new Store(p.outcome(), p.minTime(), p.maxTime(), p.series(), p.detail()), (a, b) -> a.with(p));
        }
        return out;
    }

    /** {@code complete=true; stores=3; answered=3; partial=0; failed=0}, then the addresses that failed. */
    static String compact(Coverage coverage) {
        Map<String, Store> stores = stores(coverage);
        int[] n = new int[Coverage.Outcome.values().length];
        StringBuilder failed = new StringBuilder();
        stores.forEach((address, s) -> {
            n[s.outcome.ordinal()]++;
            if (s.outcome != Coverage.Outcome.ANSWERED && failed.length() < MAX_HEADER) {
                failed.append(failed.isEmpty() ? "" : ",").append(address.replaceAll("[^\\x21-\\x7e]|[;,]", "_"));
            }
        });
        return "complete=" + coverage.complete() + "; stores=" + stores.size() + "; answered=" + n[0] + "; partial=" + n[1] + "; failed="
                + n[2]
                + (failed.isEmpty() ? "" : "; missing=" + failed);
    }

    static void coverage(JsonOut out, Coverage coverage) throws IOException {
        out.open('{').name("complete").bool(coverage.complete()).name("stores").open('[');
        for (Map.Entry<String, Store> e : stores(coverage).entrySet()) {
            Store s = e.getValue();
            out.open('{').name("store").string(e.getKey()).name("outcome").string(s.outcome.name().toLowerCase(java.util.Locale.ROOT))
                    .name("minTime").number(s.min).name("maxTime").number(s.max).name("series").number(s.series);
            if (!s.detail.isEmpty()) {
                out.name("detail").string(s.detail);
            }
            out.close('}');
        }
        out.close(']').close('}');
    }
}
