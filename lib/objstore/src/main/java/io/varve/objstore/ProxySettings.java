package io.varve.objstore;

import io.varve.model.InvalidRequestException;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** Which HTTP proxy the usual environment variables name: the JVM does not look at them, everybody else does. */
final class ProxySettings {
    private ProxySettings() {
    }

    /** The proxy for requests to where the URL points. */
    static Optional<URI> proxyFor(Map<String, String> env, URI endpoint) {
        boolean https = "https".equals(endpoint.getScheme());
        return proxyFor(env, https, endpoint.getHost(), endpoint.getPort() > 0 ? endpoint.getPort() : https ? 443 : 80);
    }

    /**
     * The proxy for requests to {@code host:port}: {@code HTTPS_PROXY} or, over plain HTTP, {@code HTTP_PROXY} (lower case too), except
     * where {@code NO_PROXY} excludes it. Loopback is never proxied.
     */
    static Optional<URI> proxyFor(Map<String, String> env, boolean https, String host, int port) {
        String value = variable(env, https ? "HTTPS_PROXY" : "HTTP_PROXY");
        String bare = host.startsWith("[") ? host.substring(1, host.length() - 1) : host.toLowerCase(Locale.ROOT);
        if (value.isEmpty() || bare.equals("localhost") || isLoopback(bare) || excluded(variable(env, "NO_PROXY"), bare, port)) {
            return Optional.empty();
        }
        try {
            URI uri = URI.create(value.contains("://") ? value : "http://" + value);
            if (uri.getHost() == null || !("http".equals(uri.getScheme()) || "https".equals(uri.getScheme()))) {
                throw new IllegalArgumentException(value);
            }
            return Optional.of(uri);
        } catch (IllegalArgumentException e) {
            // The value may hold a password: it is not repeated.
            throw new InvalidRequestException(
                    "environment variable " + (https ? "HTTPS_PROXY" : "HTTP_PROXY") + ": expected http://host:port", e);
        }
    }

    private static String variable(Map<String, String> env, String name) {
        String upper = env.getOrDefault(name, "");
        return (upper.isEmpty() ? env.getOrDefault(name.toLowerCase(Locale.ROOT), "") : upper).strip();
    }

    private static boolean excluded(String list, String host, int port) {
        for (String raw : list.split(",", -1)) {
            String entry = raw.strip().toLowerCase(Locale.ROOT);
            if (entry.isEmpty()) {
                continue;
            }
            if (entry.equals("*")) {
                return true;
            }
            if (entry.indexOf('/') > 0) {
                if (isLiteralAddress(host) && inNetwork(entry, host)) {
                    return true;
                }
                continue;
            }
            int colon = entry.indexOf(':') == entry.lastIndexOf(':') ? entry.indexOf(':') : -1;
            if (colon >= 0) {
                if (!entry.substring(colon + 1).equals(Integer.toString(port))) {
                    continue;
                }
                entry = entry.substring(0, colon);
            }
            String domain = entry.startsWith("*.") ? entry.substring(1) : entry;
            if (domain.startsWith(".") ? host.endsWith(domain) : host.equals(domain) || host.endsWith("." + domain)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isLiteralAddress(String host) {
        return host.indexOf(':') >= 0 || !host.isEmpty() && host.chars().allMatch(c -> c == '.' || c >= '0' && c <= '9');
    }

    private static boolean isLoopback(String host) {
        try {
            return isLiteralAddress(host) && InetAddress.getByName(host).isLoopbackAddress();
        } catch (UnknownHostException e) {
            return false;
        }
    }

    private static boolean inNetwork(String network, String host) {
        int slash = network.indexOf('/');
        try {
            if (!isLiteralAddress(network.substring(0, slash))) {
                return false;
            }
            byte[] net = InetAddress.getByName(network.substring(0, slash)).getAddress();
            byte[] address = InetAddress.getByName(host).getAddress();
            int bits = Integer.parseInt(network.substring(slash + 1));
            if (net.length != address.length || bits < 0 || bits > net.length * 8) {
                return false;
            }
            for (int i = 0; i < bits; i++) {
                int mask = 0x80 >> (i & 7);
                if ((net[i >> 3] & mask) != (address[i >> 3] & mask)) {
                    return false;
                }
            }
            return true;
        } catch (UnknownHostException | NumberFormatException e) {
            return false;
        }
    }
}
