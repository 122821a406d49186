package io.varve.querier.api;

import io.varve.model.Matcher;
import io.varve.promql.parser.Expr;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.promql.parser.Printer;
import io.varve.querier.fanout.Selectors;
import io.varve.runtime.http.Request;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Whose request it is, and, where enforced, that it sees only that tenant's series.
 *
 * @param header the HTTP header with the tenant's name
 * @param defaultTenant who asks where the header is missing
 * @param enforce whether every selector is bound to the tenant
 * @param label the label that names the tenant
 * @param options which parts of the language are open
 */
record Tenancy(String header, String defaultTenant, boolean enforce, String label, ParserOptions options) {
    /** Thanos' own header, taken whatever the flag says. */
    private static final String THANOS = "THANOS-TENANT";

    /** The tenant's name as it came. */
    String nameOf(Request request) {
        String t = request.header(header);
        if ((t == null || t.isEmpty()) && !header.equalsIgnoreCase(THANOS)) {
            t = request.header(THANOS);
        }
        return t == null || t.isEmpty() ? defaultTenant : t;
    }

    /** The tenant's name, which must be one path element. Where it says what may be seen, it must not be one that leads elsewhere either. */
    String of(Request request) {
        String tenant = nameOf(request);
        boolean leadsElsewhere = tenant.equals("/") || tenant.equals(".") || tenant.equals("..");
        if (leadsElsewhere ? enforce : tenant.indexOf('/') >= 0) {
            throw ApiException.badData("tenant name not valid");
        }
        return tenant;
    }

    /** What binds a request to its tenant; none where nothing is enforced. */
    Optional<Matcher> enforced(Request request) {
        return enforce ? Optional.of(matcher(of(request))) : Optional.empty();
    }

    private Matcher matcher(String tenant) {
        return Matcher.equal(label, tenant);
    }

    /** The matchers with the tenant's in place of any on its label. */
    List<Matcher> bind(String tenant, List<Matcher> matchers) {
        List<Matcher> out = new ArrayList<>();
        for (Matcher m : matchers) {
            if (!m.name().equals(label)) {
                out.add(m);
            }
        }
        out.add(matcher(tenant));
        return out;
    }

    /** The query with every selector bound, or as it is where nothing is enforced. */
    String rewrite(String tenant, String query) {
        return enforce ? Printer.print(rewrite(tenant, Parser.parse(query, options))) : query;
    }

    private Expr rewrite(String tenant, Expr e) {
        return Selectors.map(e, v -> {
            List<Matcher> bound = bind(tenant, v.matchers());
            return v.withMatchers(bound);
        });
    }

    /** All match[] selectors bound; the tenant's alone where there were none. */
    List<List<Matcher>> bindAll(String tenant, List<List<Matcher>> selectors) {
        if (!enforce) {
            return selectors;
        }
        if (selectors.isEmpty()) {
            return List.of(List.of(matcher(tenant)));
        }
        return selectors.stream().map(s -> bind(tenant, s)).toList();
    }
}
