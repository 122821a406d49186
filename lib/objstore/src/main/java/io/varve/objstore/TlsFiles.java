package io.varve.objstore;

import io.varve.model.InvalidRequestException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/** PEM files of certificates and keys as TLS clients need them. */
public final class TlsFiles {
    private static final Pattern KEY = Pattern.compile("-----BEGIN ([A-Z ]*)PRIVATE KEY-----([^-]*)-----END");

    private TlsFiles() {
    }

    /**
     * Who is trusted: the certificates of {@code caFile}; without one those that {@code SSL_CERT_FILE}, {@code SSL_CERT_DIR} and
     * {@code AWS_CA_BUNDLE} name; empty where none is set: the JDK's own.
     *
     * @throws InvalidRequestException where a file cannot be used
     */
    public static Optional<TrustManager[]> trust(String caFile, Map<String, String> env) {
        List<Path> files = new ArrayList<>();
        if (!caFile.isEmpty()) {
            files.add(Path.of(caFile));
        } else {
            for (String variable : List.of("SSL_CERT_FILE", "AWS_CA_BUNDLE")) {
                if (!env.getOrDefault(variable, "").isEmpty()) {
                    files.add(Path.of(env.getOrDefault(variable, "")));
                }
            }
            for (String dir : env.getOrDefault("SSL_CERT_DIR", "").split(":", -1)) {
                if (!dir.isEmpty()) {
                    addAll(files, Path.of(dir));
                }
            }
        }
        if (files.isEmpty()) {
            return Optional.empty();
        }
        try {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            int n = 0;
            for (Path file : files) {
                for (Certificate certificate : certificates(file)) {
                    store.setCertificateEntry("ca" + n++, certificate);
                }
            }
            TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            factory.init(store);
            return Optional.of(factory.getTrustManagers());
        } catch (GeneralSecurityException | IOException e) {
            throw new InvalidRequestException("CA certificates " + files + ": " + e.getMessage(), e);
        }
    }

    /** Trusts everybody: for those who asked for {@code insecure_skip_verify}. */
    public static TrustManager[] trustAll() {
        return new TrustManager[]{new X509ExtendedTrustManager() {
            @Override
            public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket) {
            }

            @Override
            public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket) {
            }

            @Override
            public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {
            }

            @Override
            public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {
            }

            @Override
            public void checkClientTrusted(X509Certificate[] chain, String authType) {
            }

            @Override
            public void checkServerTrusted(X509Certificate[] chain, String authType) {
            }

            @Override
            public X509Certificate[] getAcceptedIssuers() {
                return new X509Certificate[0];
            }
        }};
    }

    /**
     * The client's certificate chain and its key, PKCS #8 without password.
     *
     * @throws InvalidRequestException where a file cannot be used
     */
    public static KeyManager[] identity(String certFile, String keyFile) {
        try {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            store.setKeyEntry("client", privateKey(Path.of(keyFile)), new char[0],
                    certificates(Path.of(certFile)).toArray(Certificate[]::new));
            KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            factory.init(store, new char[0]);
            return factory.getKeyManagers();
        } catch (GeneralSecurityException | IOException e) {
            throw new InvalidRequestException("client certificate " + certFile + " with key " + keyFile + ": " + e.getMessage(), e);
        }
    }

    private static void addAll(List<Path> files, Path dir) {
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(dir)) {
            for (Path entry : entries) {
                if (Files.isRegularFile(entry)) {
                    files.add(entry);
                }
            }
        } catch (IOException e) {
            throw new InvalidRequestException("environment variable SSL_CERT_DIR: cannot read " + dir, e);
        }
    }

    private static List<Certificate> certificates(Path file) throws IOException, CertificateException {
        try (InputStream in = new ByteArrayInputStream(Files.readAllBytes(file))) {
            List<Certificate> found = List.copyOf(CertificateFactory.getInstance("X.509").generateCertificates(in));
            if (found.isEmpty()) {
                throw new CertificateException("no certificate in " + file);
            }
            return found;
        }
    }

    private static PrivateKey privateKey(Path file) throws IOException, GeneralSecurityException {
        Matcher m = KEY.matcher(Files.readString(file, StandardCharsets.US_ASCII));
        if (!m.find()) {
            throw new InvalidKeySpecException("no private key in " + file);
        }
        if (!m.group(1).isEmpty()) {
            throw new InvalidKeySpecException(
                    file + " holds a key as \"" + m.group(1).strip() + "\"; expected PKCS #8 (openssl pkcs8 -topk8 -nocrypt)");
        }
        PKCS8EncodedKeySpec spec = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(m.group(2)));
        InvalidKeySpecException last = new InvalidKeySpecException("key of unknown kind in " + file);
        for (String algorithm : List.of("RSA", "EC", "EdDSA")) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(spec);
            } catch (InvalidKeySpecException e) {
                last = e;
            }
        }
        throw last;
    }
}
