package io.varve.querier.api;

import io.varve.model.Coverage;
import io.varve.model.PromDuration;
import io.varve.model.QueryContext;
import io.varve.runtime.http.Response;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
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
            coverageHeader(response, context.coverage());
        }
        // Closed where all of it was written, and not otherwise: what is closed looks whole.
        OutputStream body = response.body();
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
            coverage(out, context.coverage().report());
        }
        out.close('}');
        out.flush();
        body.close();
    }

    /** Says what went into an answer, or was missing when it failed; in a line. */
    static void coverageHeader(Response response, Coverage coverage) {
        response.header(COVERAGE_HEADER, compact(coverage.report()));
    }

    static void error(Response response, ApiException e) throws IOException {
        response.status(e.status());
        response.header("Content-Type", "application/json");
        response.header("Cache-Control", "no-store");
        StringBuilder sb = new StringBuilder("{\"status\":\"error\",\"errorType\":\"").append(e.type()).append("\",\"error\":");
        io.varve.model.JsonText.appendString(sb, e.getMessage());
        response.send(sb.append('}').toString().getBytes(StandardCharsets.UTF_8));
    }

    /**
     * {@code complete=true; stores=3; asked=3; answered=3; partial=0; failed=0; resolutions=0s; blocks=12}, then the addresses of those that
     * did not answer in full: {@code missing=querier:10901/store:10901,…}.
     */
    static String compact(Coverage.Report report) {
        int[] n = new int[Coverage.Outcome.values().length];
        Set<Long> resolutions = new TreeSet<>();
        for (Coverage.Store s : report.stores()) {
            n[s.outcome().ordinal()]++;
            resolutions.addAll(s.resolutions());
        }
        int stores = report.stores().size();
        StringBuilder sb = new StringBuilder("complete=").append(report.complete()).append("; stores=").append(stores).append("; asked=")
                .append(stores - n[Coverage.Outcome.MISSING.ordinal()]).append("; answered=")
                .append(n[Coverage.Outcome.ANSWERED.ordinal()]).append("; partial=").append(n[Coverage.Outcome.PARTIAL.ordinal()])
                .append("; failed=").append(n[Coverage.Outcome.FAILED.ordinal()]);
        if (!resolutions.isEmpty()) {
            sb.append("; resolutions=").append(String.join(",", resolutions.stream().map(PromDuration::print).toList()));
        }
        int blocks = report.allBlocks().size();
        if (blocks > 0) {
            sb.append("; blocks=").append(blocks);
        }
        List<String> missing = new ArrayList<>();
        missing(report, "", missing);
        if (!missing.isEmpty()) {
            StringBuilder names = new StringBuilder();
            for (String m : missing) {
                if (names.length() + m.length() > MAX_HEADER) {
                    names.append(",...");
                    break;
                }
                names.append(names.isEmpty() ? "" : ",").append(m.replaceAll("[^\\x21-\\x7e]|[;,]", "_"));
            }
            sb.append("; missing=").append(names);
        }
        return sb.toString();
    }

    /** Paths of those that did not answer in full: where a store says which of its own are to blame, these alone. */
    private static void missing(Coverage.Report report, String path, List<String> out) {
        for (Coverage.Store s : report.stores()) {
            if (s.outcome() == Coverage.Outcome.ANSWERED) {
                continue;
            }
            int before = out.size();
            missing(s.below(), path + s.address() + "/", out);
            if (out.size() == before) {
                out.add(path + s.address());
            }
        }
    }

    static void coverage(JsonOut out, Coverage.Report report) throws IOException {
        out.open('{').name("complete").bool(report.complete());
        members(out, report);
        out.close('}');
    }

    private static void members(JsonOut out, Coverage.Report report) throws IOException {
        out.name("stores").open('[');
        for (Coverage.Store s : report.stores()) {
            out.open('{').name("store").string(s.address()).name("asked").bool(s.outcome() != Coverage.Outcome.MISSING).name("outcome")
                    .string(s.outcome().name().toLowerCase(java.util.Locale.ROOT)).name("minTime").number(s.minTime()).name("maxTime")
                    .number(s.maxTime()).name("series").number(s.series()).name("replicas").strings(s.replicas()).name("resolutions")
                    .open('[');
            for (long r : s.resolutions()) {
                out.string(PromDuration.print(r));
            }
            out.close(']');
            if (!s.detail().isEmpty()) {
                out.name("detail").string(s.detail());
            }
            Coverage.Report below = s.below();
            if (!below.blocks().isEmpty()) {
                out.name("blocks").open('[');
                for (Coverage.Block b : below.blocks()) {
                    out.open('{').name("id").string(b.id()).name("resolution").string(PromDuration.print(b.resolutionMillis())).close('}');
                }
                out.close(']');
            }
            if (!below.stores().isEmpty()) {
                out.name("below").open('{').name("complete").bool(below.complete());
                members(out, below);
                out.close('}');
            }
            if (below.leftOut() > 0) {
                out.name("leftOut").number(below.leftOut());
            }
            out.close('}');
        }
        out.close(']');
    }
}
