package io.varve.runtime.http;

/**
 * How links in pages begin where a proxy in front shows them under another path.
 *
 * @param prefix before every path, "" for none
 * @param header a request header whose value goes before it instead where it is a path, "" for none
 */
public record Links(String prefix, String header) {
    /** The link to a path of this process, which begins with a slash, as the client of the request has to write it. */
    public String of(Request request, String path) {
        String given = header.isEmpty() ? null : request.header(header);
        String base = given == null || !given.startsWith("/") || given.startsWith("//") ? prefix : given;
        while (base.endsWith("/")) {
            base = base.substring(0, base.length() - 1);
        }
        return (base.isEmpty() || base.startsWith("/") ? base : "/" + base) + path;
    }
}
