package io.varve.runtime.http;

import java.util.ArrayList;
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
 * segments win over {@code {name}}, and that over {@code {name*}}. A route that takes GET takes HEAD. Routes below {@code /api/} answer OPTIONS with 204 and
 * carry CORS headers unless switched off.
 */
public final class Routes {
    private static final Set<String> ANY = Set.of();

    private final List<Route> routes;
    private final String prefix;
    private final boolean cors;
    private final @Nullable Function<Request, String> tenant;
    private final @Nullable String rootRedirect;

    private Routes(List<Route> routes, String prefix, boolean cors, @Nullable Function<Request, String> tenant,
            @Nullable String rootRedirect) {
        this.routes = List.copyOf(routes);
        this.prefix = prefix;
        this.cors = cors;
        this.tenant = tenant;
        this.rootRedirect = rootRedirect;
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
        return new Routes(all, prefix, cors, tenant, rootRedirect);
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

    @Nullable
    String rootRedirect() {
        return rootRedirect;
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
            if (r.api) {
                allowed.add("OPTIONS");
            }
        }
        return best == null ? null : new Match(best, best.parameters(segments), best.takes(method), allowed);
    }

    private static boolean isAdmin(String path) {
        return path.equals("/-/healthy") || path.equals("/-/ready") || path.equals("/metrics");
    }

    static String[] split(String path) {
        return path.substring(1).split("/", -1);
    }

    record Match(Route route, Map<String, String> parameters, boolean methodTaken, Set<String> allowed) {
    }

    record Route(@Nullable String name, Set<String> methods, String[] segments, HttpHandler handler, boolean api) {
        boolean takes(String method) {
            return methods.isEmpty() || methods.contains(method) || method.equals("HEAD") && methods.contains("GET");
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
        private @Nullable String rootRedirect;

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

        /** Adds a route for GET (and HEAD). */
        public Builder get(@Nullable String name, String path, HttpHandler handler) {
            return route(name, Set.of("GET"), path, handler);
        }

        /** Adds a route for POST. */
        public Builder post(@Nullable String name, String path, HttpHandler handler) {
            return route(name, Set.of("POST"), path, handler);
        }

        /** Adds a route for GET (and HEAD) and POST. */
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

        /** Where {@code /} leads to. */
        public Builder redirectRoot(String to) {
            this.rootRedirect = to;
            return this;
        }

        /** The routes. */
        public Routes build() {
            return new Routes(routes, prefix, cors, tenant, rootRedirect);
        }
    }
}
