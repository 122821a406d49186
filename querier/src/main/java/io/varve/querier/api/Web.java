package io.varve.querier.api;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.promql.parser.Expr;
import io.varve.querier.fanout.EndpointSet;
import io.varve.runtime.http.HttpHandler;
import io.varve.runtime.http.Request;
import io.varve.runtime.http.Routes;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;

/** The querier's own plain pages: where to go, and which stores there are. */
public final class Web {
    private final EndpointSet endpoints;
    private final Links links;

    /**
     * How links begin.
     *
     * @param prefix before every path
     * @param header a request header whose value goes before it instead, "" for none
     */
    public record Links(String prefix, String header) {
        String of(Request request, String path) {
            String given = header.isEmpty() ? null : request.header(header);
            String base = given == null || !given.startsWith("/") || given.startsWith("//") ? prefix : given;
            while (base.endsWith("/")) {
                base = base.substring(0, base.length() - 1);
            }
            return (base.isEmpty() || base.startsWith("/") ? base : "/" + base) + path;
        }
    }

    /** Pages over these endpoints. */
    public Web(EndpointSet endpoints, Links links) {
        this.endpoints = endpoints;
        this.links = links;
    }

    /** The matchers of all selectors of an expression. */
    public static List<List<Matcher>> selectors(Expr e) {
        return Selectors.of(e);
    }

    /** Adds the pages. */
    public void routes(Routes.Builder b) {
        HttpHandler home = (q, r) -> r.status(302).header("Location", links.of(q, "/graph")).send(new byte[0]);
        b.get(null, "/", home);
        b.get(null, "/graph", (q, r) -> page(q, r, graph(q)));
        b.get(null, "/stores", (q, r) -> page(q, r, stores()));
        for (String name : List.of("alerts", "rules", "targets", "status", "flags")) {
            String api = switch (name) {
                case "status" -> "/api/v1/status/runtimeinfo";
                case "flags" -> "/api/v1/status/flags";
                default -> "/api/v1/" + name;
            };
            b.get(null, "/" + name, (q, r) -> page(q, r, "<p><a href=\"" + escape(links.of(q, api)) + "\">" + name + "</a></p>"));
        }
    }

    private void page(Request request, io.varve.runtime.http.Response response, String body) throws java.io.IOException {
        response.header("Content-Type", "text/html; charset=utf-8");
        response.header("X-Content-Type-Options", "nosniff");
        response.send(("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>varve query</title></head><body><p><a href=\""
                + escape(links.of(request, "/graph")) + "\">query</a> <a href=\"" + escape(links.of(request, "/stores"))
                + "\">stores</a></p>" + body + "</body></html>").getBytes(StandardCharsets.UTF_8));
    }

    private String graph(Request request) {
        String query = request.parameter("g0.expr");
        return "<form action=\"" + escape(links.of(request, "/api/v1/query")) + "\"><input name=\"query\" size=\"100\" value=\""
                + escape(query == null ? "up" : query)
                + "\"> <label><input type=\"checkbox\" name=\"coverage\" value=\"true\"> coverage</label>"
                + " <button>Execute</button></form>";
    }

    private String stores() {
        StringBuilder sb = new StringBuilder(
                "<table><tr><th>endpoint</th><th>type</th><th>label sets</th><th>from</th><th>to</th><th>last error</th></tr>");
        for (EndpointSet.Status s : endpoints.now().statuses()) {
            StringBuilder sets = new StringBuilder();
            for (Labels l : s.labelSets()) {
                sets.append(escape(l.toString())).append("<br>");
            }
            String error = s.lastError();
            sb.append("<tr><td>").append(escape(s.address())).append("</td><td>").append(escape(s.component())).append("</td><td>")
                    .append(sets)
                    .append("</td><td>").append(time(s.minTime())).append("</td><td>").append(time(s.maxTime())).append("</td><td>")
                    .append(escape(error == null ? "" : error)).append("</td></tr>");
        }
        return sb.append("</table>").toString();
    }

    private static String time(long millis) {
        return Math.abs(millis) > 1L << 52 ? "" : Instant.ofEpochMilli(millis).toString();
    }

    private static String escape(String s) {
        return s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
}
