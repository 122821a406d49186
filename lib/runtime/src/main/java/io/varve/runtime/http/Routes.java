package io.varve.runtime.http;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Which handler answers which method and path. Immutable.
 *
 * <p>
 * A path is literal segments, {@code {name}} for one segment and, at the end, {@code {name*}} for all that follows (maybe nothing). Literal
 * segments win over {@code {name}}, and that over {@code {name*}}. A route that takes GET takes HEAD, but not below {@code /api/}. Below {@code /api/v1/} OPTIONS is answered
 * with 204 whatever the path, elsewhere with what a path takes; routes below {@code /api/} carry CORS headers unless switched off. Paths with
 * double slashes, another case or a slash too many or too few lead to the right one.
 */
public final class Routes {
    private static final Set<String> ANY = Set.of();

    private final List<Route> routes;
    private final String prefix;
    private final boolean cors;
    private final @Nullable Function<Request, String> tenant;

    private Routes(List<Route> routes, String prefix, boolean cors, @Nullable Function<Request, String> tenant) {
        this.routes = List.copyOf(routes);
        this.prefix = prefix;
        this.cors = cors;
        this.tenant = tenant;
    }

    /** A builder. */
    public static Builder builder() {
        return new Builder();
    }

    /** No routes. */
    public static Routes none() {
        return new Builder().build();
    }

    /** Also {@code /-/healthy}, {@code /-/ready} and {@code /metrics}, which answer outside the prefix as well as under it. */
    public Routes withAdmin(HttpHandler healthy, HttpHandler ready, HttpHandler metrics) {
        List<Route> all = new ArrayList<>(routes);
        all.add(new Route(null, ANY, split("/-/healthy"), healthy, false));
        all.add(new Route(null, ANY, split("/-/ready"), ready, false));
        all.add(new Route(null, ANY, split("/metrics"), metrics, false));
        return new Routes(all, prefix, cors, tenant);
    }

    /** Whether any route is measured. */
    boolean measured() {
        return routes.stream().anyMatch(r -> r.name != null);
    }

    boolean cors() {
        return cors;
    }

    @Nullable
    Function<Request, String> tenant() {
        return tenant;
    }

    String prefix() {
        return prefix;
    }

    /** What matches, null for nothing. */
    @Nullable
    Match match(String rawPath, String method) {
        String path = rawPath;
        if (!prefix.isEmpty()) {
            if (path.equals(prefix) || path.startsWith(prefix + "/")) {
                path = path.substring(prefix.length());
            } else if (!isAdmin(path)) {
                return null;
            }
        }
        String[] segments = split(path.isEmpty() ? "/" : path);
        Route best = null;
        Set<String> allowed = new TreeSet<>();
        for (Route r : routes) {
            if (!r.matches(segments)) {
                continue;
            }
            if (best != null && r.compareSpecificity(best) < 0 && best.takes(method)) {
                continue;
            }
            if (r.takes(method)) {
                best = best == null || !best.takes(method) || r.compareSpecificity(best) > 0 ? r : best;
            } else if (best == null) {
                best = r;
            }
            allowed.addAll(r.methods);
        }
        return best == null ? null : new Match(best, best.parameters(segments), segments, best.takes(method), allowed);
    }

    /** Whether OPTIONS is answered for a path with 204: all below {@code /api/v1/}, where there is such an API. */
    boolean isPreflight(String rawPath) {
        return rawPath.startsWith(prefix + "/api/v1/") && routes.stream().anyMatch(r -> r.api);
    }

    /** Where a path that nothing matches may have been meant to go: without or with a slash at its end, or written in another case. */
    @Nullable
    String meant(String rawPath, String method) {
        if (rawPath.equals("/") || !rawPath.regionMatches(true, 0, prefix, 0, prefix.length())) {
            return null;
        }
        String other = rawPath.endsWith("/") ? rawPath.substring(0, rawPath.length() - 1) : rawPath + "/";
        Match m = match(other, method);
        if (m != null && m.methodTaken) {
            return other;
        }
        for (String path : List.of(rawPath, other)) {
            String rest = path.substring(Math.min(path.length(), prefix.length()));
            if (!rest.startsWith("/")) {
                continue;
            }
            String[] segments = split(rest);
            for (Route r : routes) {
                String[] fixed = r.takes(method) ? r.inItsCase(segments) : null;
                if (fixed != null) {
                    return prefix + "/" + String.join("/", fixed);
                }
            }
        }
        return null;
    }

    /** Without empty segments, {@code .} and {@code ..}; a slash at the end stays. */
    static String clean(String rawPath) {
        if (!rawPath.contains("//") && !rawPath.contains("/.")) {
            return rawPath;
        }
        List<String> kept = new ArrayList<>();
        String[] segments = split(rawPath);
        for (String s : segments) {
            if (s.equals("..")) {
                if (!kept.isEmpty()) {
                    kept.removeLast();
                }
            } else if (!s.isEmpty() && !s.equals(".")) {
                kept.add(s);
            }
        }
        String path = "/" + String.join("/", kept);
        return segments[segments.length - 1].isEmpty() && !kept.isEmpty() ? path + "/" : path;
    }

    private static boolean isAdmin(String path) {
        return path.equals("/-/healthy") || path.equals("/-/ready") || path.equals("/metrics");
    }

    static String[] split(String path) {
        return path.substring(1).split("/", -1);
    }

    record Match(Route route, Map<String, String> parameters, String[] segments, boolean methodTaken, Set<String> allowed) {
        /** What stands in the path for {@code {name}}, as bytes. */
        byte[] bytes(String name) {
            int at = Arrays.asList(route.segments).indexOf("{" + name + "}");
            if (at < 0) {
                throw new IllegalArgumentException("the route has no {" + name + "}");
            }
            return UrlDecoder.bytes(segments[at], false);
        }

        /** The methods that the path takes, for a header. */
        String allows() {
            Set<String> all = new TreeSet<>(allowed);
            all.add("OPTIONS");
            return String.join(", ", all);
        }
    }

    record Route(@Nullable String name, Set<String> methods, String[] segments, HttpHandler handler, boolean api) {
        boolean takes(String method) {
            // As in Prometheus' router, HEAD is no way to ask an API.
            return methods.isEmpty() || methods.contains(method) || !api && method.equals("HEAD") && methods.contains("GET");
        }

        boolean matches(String[] path) {
            for (int i = 0; i < segments.length; i++) {
                String s = segments[i];
                if (isRest(s)) {
                    return true;
                }
                if (i >= path.length || !(isOne(s) ? !path[i].isEmpty() : s.equals(path[i]))) {
                    return false;
                }
            }
            return path.length == segments.length;
        }

        /** The path with this route's literal segments, null where they differ in more than case. */
        String @Nullable [] inItsCase(String[] path) {
            if (path.length != segments.length) {
                return null;
            }
            String[] out = path.clone();
            for (int i = 0; i < segments.length; i++) {
                String s = segments[i];
                if (isRest(s) || isOne(s) ? path[i].isEmpty() : !s.equalsIgnoreCase(path[i])) {
                    return null;
                }
                if (!isRest(s) && !isOne(s)) {
                    out[i] = s;
                }
            }
            return out;
        }

        Map<String, String> parameters(String[] path) {
            Map<String, String> out = new HashMap<>();
            for (int i = 0; i < segments.length; i++) {
                String s = segments[i];
                if (isRest(s)) {
                    StringBuilder rest = new StringBuilder();
                    for (int j = i; j < path.length; j++) {
                        rest.append(j > i ? "/" : "").append(UrlDecoder.decode(path[j], false));
                    }
                    out.put(s.substring(1, s.length() - 2), rest.toString());
                } else if (isOne(s)) {
                    out.put(s.substring(1, s.length() - 1), UrlDecoder.decode(path[i], false));
                }
            }
            return out;
        }

        /** Above 0 where this route says more than the other. */
        int compareSpecificity(Route o) {
            for (int i = 0; i < Math.min(segments.length, o.segments.length); i++) {
                int c = Integer.compare(rank(segments[i]), rank(o.segments[i]));
                if (c != 0) {
                    return c;
                }
            }
            return 0;
        }

        private static int rank(String s) {
            return isRest(s) ? 0 : isOne(s) ? 1 : 2;
        }

        private static boolean isOne(String s) {
            return s.startsWith("{") && s.endsWith("}") && !s.endsWith("*}");
        }

        private static boolean isRest(String s) {
            return s.startsWith("{") && s.endsWith("*}");
        }
    }

    /** Collects routes. */
    public static final class Builder {
        private final List<Route> routes = new ArrayList<>();
        private String prefix = "";
        private boolean cors = true;
        private @Nullable Function<Request, String> tenant;

        private Builder() {
        }

        /**
         * Adds a route.
         *
         * @param name the handler's name in the HTTP metrics, null to leave it out of them
         * @param methods the methods it takes; empty for all
         * @param path the path below the prefix
         */
        public Builder route(@Nullable String name, Set<String> methods, String path, HttpHandler handler) {
            if (!path.startsWith("/")) {
                throw new IllegalArgumentException("a path starts with /, got " + path);
            }
            routes.add(new Route(name, Set.copyOf(methods), split(path), handler, path.startsWith("/api/")));
            return this;
        }

        /** Adds a route for GET. */
        public Builder get(@Nullable String name, String path, HttpHandler handler) {
            return route(name, Set.of("GET"), path, handler);
        }

        /** Adds a route for POST. */
        public Builder post(@Nullable String name, String path, HttpHandler handler) {
            return route(name, Set.of("POST"), path, handler);
        }

        /** Adds a route for GET and POST. */
        public Builder getOrPost(@Nullable String name, String path, HttpHandler handler) {
            return route(name, Set.of("GET", "POST"), path, handler);
        }

        /** The path below which all routes lie, "" for none; a trailing slash is dropped. {@code /} leads to it. Probes and metrics answer without it too. */
        public Builder prefix(String routePrefix) {
            String p = routePrefix;
            while (p.endsWith("/")) {
                p = p.substring(0, p.length() - 1);
            }
            this.prefix = p.isEmpty() || p.startsWith("/") ? p : "/" + p;
            return this;
        }

        /** Whether routes below {@code /api/} carry CORS headers; true otherwise. */
        public Builder cors(boolean on) {
            this.cors = on;
            return this;
        }

        /** Adds a {@code tenant} label to the HTTP metrics, with this value. */
        public Builder tenant(Function<Request, String> tenantOf) {
            this.tenant = tenantOf;
            return this;
        }

        /** The routes. */
        public Routes build() {
            return new Routes(routes, prefix, cors, tenant);
        }
    }
}
