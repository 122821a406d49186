package io.varve.querier.api;

import io.varve.model.Labels;
import io.varve.querier.fanout.EndpointSet;
import io.varve.runtime.http.HttpHandler;
import io.varve.runtime.http.Links;
import io.varve.runtime.http.Request;
import io.varve.runtime.http.Routes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;

/** The querier's own plain pages: where to go, and which stores there are. */
public final class Web {
    private final EndpointSet endpoints;
    private final Links links;

    /** Pages over these endpoints. */
    public Web(EndpointSet endpoints, Links links) {
        this.endpoints = endpoints;
        this.links = links;
    }

    /** Adds the pages. */
    public void routes(Routes.Builder b) {
        HttpHandler home = (q, r) -> r.status(302).header("Location", links.of(q, "/graph")).send(new byte[0]);
        b.get(null, "/", home);
        b.get(null, "/favicon.ico", (q, r) -> {
            r.header("Content-Type", "image/vnd.microsoft.icon");
            r.header("Cache-Control", "max-age=86400");
            r.send(icon());
        });
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

    /** Sixteen by sixteen points: three layers, the lower the darker. Format: an icon directory with one uncompressed bitmap. */
    static byte[] icon() {
        int side = 16;
        int pixels = 4 * side * side;
        int mask = 4 * side;
        ByteBuffer b = ByteBuffer.allocate(22 + 40 + pixels + mask).order(ByteOrder.LITTLE_ENDIAN);
        b.putShort((short) 0).putShort((short) 1).putShort((short) 1);
        b.put((byte) side).put((byte) side).put((byte) 0).put((byte) 0).putShort((short) 1).putShort((short) 32);
        b.putInt(40 + pixels + mask).putInt(22);
        b.putInt(40).putInt(side).putInt(2 * side).putShort((short) 1).putShort((short) 32).putInt(0).putInt(pixels + mask);
        b.putInt(0).putInt(0).putInt(0).putInt(0);
        for (int y = 0; y < side; y++) { // from below
            int colour = y % 6 == 5 ? 0 : y < 6 ? 0xFF7A4A1E : y < 12 ? 0xFFB57B3C : 0xFFE0B070;
            for (int x = 0; x < side; x++) {
                b.putInt(colour);
            }
        }
        return b.array();
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
