package io.varve.sidecar;

import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.Yaml;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.util.Base64;
import java.util.Collection;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
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
    private static final Pattern KEY = Pattern.compile("-----BEGIN PRIVATE KEY-----([^-]*)-----END PRIVATE KEY-----");

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
            SSLContext context = SSLContext.getInstance("TLS");
            TrustManager[] trust = Boolean.TRUE.equals(tls.insecure_skip_verify)
                    ? new TrustManager[]{new TrustAll()}
                    : set(tls.ca_file) ? trust(Path.of(tls.ca_file == null ? "" : tls.ca_file)) : null;
            KeyManager[] keys = null;
            if (set(tls.cert_file) || set(tls.key_file)) {
                keys = identity(Path.of(tls.cert_file == null ? "" : tls.cert_file), Path.of(tls.key_file == null ? "" : tls.key_file));
            }
            context.init(keys, trust, null);
            return context;
        } catch (GeneralSecurityException | IOException e) {
            throw new FlagException("--prometheus.http-client: tls_config: " + e, e);
        }
    }

    private static TrustManager[] trust(Path caFile) throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        int n = 0;
        for (Certificate c : certificates(caFile)) {
            store.setCertificateEntry("ca" + n++, c);
        }
        if (n == 0) {
            throw new GeneralSecurityException("no certificate in " + caFile);
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory.getTrustManagers();
    }

    private static KeyManager[] identity(Path cert, Path key) throws GeneralSecurityException, IOException {
        Matcher m = KEY.matcher(Files.readString(key, StandardCharsets.US_ASCII));
        if (!m.find()) {
            throw new GeneralSecurityException(key + " holds no PKCS #8 private key (BEGIN PRIVATE KEY)");
        }
        byte[] encoded = Base64.getMimeDecoder().decode(m.group(1));
        PrivateKey privateKey = null;
        for (String algorithm : new String[]{"RSA", "EC", "EdDSA"}) {
            try {
                privateKey = KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(encoded));
                break;
            } catch (GeneralSecurityException e) {
                // The next kind.
            }
        }
        if (privateKey == null) {
            throw new GeneralSecurityException(key + " holds no RSA, EC or EdDSA key");
        }
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        store.setKeyEntry("client", privateKey, new char[0], certificates(cert).toArray(Certificate[]::new));
        KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, new char[0]);
        return factory.getKeyManagers();
    }

    private static Collection<? extends Certificate> certificates(Path file) throws GeneralSecurityException, IOException {
        return CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(Files.readAllBytes(file)));
    }

    /** {@code insecure_skip_verify}: any certificate, any name. */
    private static final class TrustAll extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {
        }

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
