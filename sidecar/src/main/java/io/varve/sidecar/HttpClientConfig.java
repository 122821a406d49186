package io.varve.sidecar;

import io.varve.model.InvalidRequestException;
import io.varve.objstore.TlsFiles;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.Yaml;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.Base64;
import java.util.Map;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import org.jspecify.annotations.Nullable;

/**
 * {@code --prometheus.http-client}: how to reach Prometheus. The keys are Thanos'; unknown ones are errors.
 *
 * @param basic_auth user and password
 * @param bearer_token a token
 * @param bearer_token_file a file that holds it, read for every request
 * @param authorization scheme and credentials
 * @param proxy_url an HTTP proxy
 * @param tls_config certificates
 * @param transport_config timeouts of connections
 * @param follow_redirects true unless said otherwise
 * @param enable_http2 accepted; HTTP/1.1 is spoken
 */
@SuppressWarnings("checkstyle:RecordComponentName")
record HttpClientConfig(@Nullable BasicAuth basic_auth, @Nullable String bearer_token, @Nullable String bearer_token_file,
        @Nullable Authorization authorization, @Nullable String proxy_url, @Nullable TlsConfig tls_config,
        @Nullable TransportConfig transport_config, @Nullable Boolean follow_redirects, @Nullable Boolean enable_http2) {
    record BasicAuth(@Nullable String username, @Nullable String username_file, @Nullable String password, @Nullable String password_file) {
    }

    record Authorization(@Nullable String type, @Nullable String credentials, @Nullable String credentials_file) {
    }

    record TlsConfig(@Nullable String ca_file, @Nullable String cert_file, @Nullable String key_file, @Nullable String server_name,
            @Nullable Boolean insecure_skip_verify, @Nullable String min_version, @Nullable String max_version) {
    }

    /** Durations as text, in Go's form. What the JDK's client has no setting for is refused when it is set. */
    record TransportConfig(@Nullable Integer max_idle_conns, @Nullable Integer max_idle_conns_per_host, @Nullable String idle_conn_timeout,
            @Nullable String response_header_timeout, @Nullable String expect_continue_timeout, @Nullable Integer max_conns_per_host,
            @Nullable Boolean disable_compression, @Nullable String tls_handshake_timeout) {
    }

    static final HttpClientConfig NONE = new HttpClientConfig(null, null, null, null, null, null, null, null, null);

    static HttpClientConfig parse(String yaml) {
        HttpClientConfig c = Yaml.read(yaml, HttpClientConfig.class, "--prometheus.http-client");
        int ways = (c.basic_auth != null ? 1 : 0) + (set(c.bearer_token) ? 1 : 0) + (set(c.bearer_token_file) ? 1 : 0)
                + (c.authorization != null ? 1 : 0);
        if (ways > 1) {
            throw new FlagException(
                    "--prometheus.http-client: at most one of basic_auth, bearer_token, bearer_token_file and authorization may be configured");
        }
        if (c.authorization != null && "basic".equalsIgnoreCase(c.authorization.type)) {
            throw new FlagException("--prometheus.http-client: authorization type cannot be set to \"basic\", use basic_auth instead");
        }
        TransportConfig t = c.transport_config;
        if (t != null) {
            refuse("max_idle_conns", t.max_idle_conns);
            refuse("max_idle_conns_per_host", t.max_idle_conns_per_host);
            refuse("idle_conn_timeout", t.idle_conn_timeout);
            refuse("response_header_timeout", t.response_header_timeout);
            refuse("expect_continue_timeout", t.expect_continue_timeout);
            refuse("max_conns_per_host", t.max_conns_per_host);
            refuse("disable_compression", t.disable_compression);
            refuse("tls_handshake_timeout", t.tls_handshake_timeout);
        }
        return c;
    }

    private static void refuse(String key, @Nullable Object value) {
        if (value != null) {
            throw new FlagException(
                    "--prometheus.http-client: transport_config." + key + " is not supported: the client has no such setting");
        }
    }

    private static boolean set(@Nullable String s) {
        return s != null && !s.isEmpty();
    }

    /** What {@code Authorization} says, null for nothing. Files are read again each time, so that secrets can be rotated. */
    @Nullable
    String authorizationHeader() {
        if (basic_auth != null) {
            String user = set(basic_auth.username_file)
                    ? file(basic_auth.username_file)
                    : basic_auth.username == null ? "" : basic_auth.username;
            String password = set(basic_auth.password_file)
                    ? file(basic_auth.password_file)
                    : basic_auth.password == null ? "" : basic_auth.password;
            return "Basic " + Base64.getEncoder().encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8));
        }
        if (set(bearer_token)) {
            return "Bearer " + bearer_token;
        }
        if (set(bearer_token_file)) {
            return "Bearer " + file(bearer_token_file);
        }
        if (authorization != null) {
            String credentials = set(authorization.credentials_file)
                    ? file(authorization.credentials_file)
                    : authorization.credentials == null ? "" : authorization.credentials;
            return (set(authorization.type) ? authorization.type : "Bearer") + " " + credentials;
        }
        return null;
    }

    private static String file(@Nullable String path) {
        try {
            return Files.readString(Path.of(path == null ? "" : path)).strip();
        } catch (IOException e) {
            throw new io.varve.model.UnavailableException("reading the secret " + path + " of --prometheus.http-client: " + e, e);
        }
    }

    /** A client for that configuration; HTTP/1.1. */
    HttpClient client() {
        HttpClient.Builder b = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(30))
                .followRedirects(Boolean.FALSE.equals(follow_redirects) ? HttpClient.Redirect.NEVER : HttpClient.Redirect.NORMAL);
        if (set(proxy_url)) {
            URI proxy = URI.create(proxy_url == null ? "" : proxy_url);
            if (proxy.getHost() == null) {
                throw new FlagException("--prometheus.http-client: proxy_url has no host: " + proxy_url);
            }
            b.proxy(ProxySelector.of(new InetSocketAddress(proxy.getHost(), proxy.getPort() < 0 ? 80 : proxy.getPort())));
        }
        TlsConfig tls = tls_config;
        if (tls != null && (set(tls.server_name) || set(tls.min_version) || set(tls.max_version))) {
            throw new FlagException("--prometheus.http-client: tls_config server_name, min_version and max_version are not supported: "
                    + "the client takes the name from the URL and the versions from the platform");
        }
        if (tls != null && (Boolean.TRUE.equals(tls.insecure_skip_verify) || set(tls.ca_file) || set(tls.cert_file) || set(tls.key_file))) {
            b.sslContext(sslContext(tls));
        }
        return b.build();
    }

    private static SSLContext sslContext(TlsConfig tls) {
        try {
            String cert = text(tls.cert_file);
            String key = text(tls.key_file);
            KeyManager[] keys = cert.isEmpty() && key.isEmpty() ? null : TlsFiles.identity(cert, key);
            // Without a file of its own the JDK's authorities count, whatever the environment says to S3 clients.
            TrustManager[] trust = Boolean.TRUE.equals(tls.insecure_skip_verify)
                    ? TlsFiles.trustAll()
                    : TlsFiles.trust(text(tls.ca_file), Map.of()).orElse(null);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(keys, trust, null);
            return context;
        } catch (GeneralSecurityException | InvalidRequestException e) {
            throw new FlagException("--prometheus.http-client: tls_config: " + e.getMessage(), e);
        }
    }

    private static String text(@Nullable String s) {
        return s == null ? "" : s;
    }
}
