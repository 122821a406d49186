package io.varve.objstore;

import io.varve.model.InvalidRequestException;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the {@code config} section of an S3 bucket says; keys and defaults are Thanos'. Secrets are kept out of {@link #toString}.
 *
 * @param endpoint host or host:port
 * @param region "" where neither the key nor an AWS endpoint names one
 * @param stsEndpoint where web identities are exchanged, as a URL; "" = Amazon's
 * @param maxRetries how often a request is repeated; 0 = default
 * @param trace whether each request is logged
 */
record S3Config(String bucket, String endpoint, String region, boolean dualstack, boolean sdkAuth, String accessKey, String secretKey,
        String sessionToken, boolean insecure, Map<String, String> userMetadata, Http http, boolean trace, boolean listV1, Lookup lookup,
        boolean contentMd5, boolean multipart, long partSizeBytes, Encryption encryption, String stsEndpoint, int maxRetries) {
    /** Smaller parts are refused by S3. */
    static final long MIN_PART_BYTES = 5L << 20;
    /** S3 takes no more parts than this. */
    static final int MAX_PARTS = 10_000;
    /** One PUT holds no more than this on AWS. */
    static final long MAX_PUT_BYTES = 5L << 30;
    private static final Pattern ENDPOINT = Pattern.compile("(?:[^\\s/:@?#\\[\\]]+|\\[[0-9A-Fa-f:.]+])(?::[1-9][0-9]{0,4})?");
    private static final Pattern AWS = Pattern
            .compile("(?:.*\\.)?s3(?:[.-](?:dualstack\\.)?([a-z]{2}(?:-[a-z]+)+-\\d))?\\.amazonaws\\.com(?:\\.cn)?");

    /** How a bucket's name gets into the URL. */
    enum Lookup {
        AUTO, VIRTUAL_HOSTED, PATH
    }

    /** Encryption on the server's side. */
    sealed interface Encryption {
        record None() implements Encryption {
        }

        /** With the server's keys. */
        record Managed() implements Encryption {
        }

        /** With a key of KMS. */
        record Kms(String keyId, Map<String, String> context) implements Encryption {
        }

        /** With a key that goes along with every request. */
        record CustomerKey(byte[] key) implements Encryption {
        }
    }

    /**
     * Settings of the HTTP client.
     *
     * @param connections most connections at a time
     * @param caFile "" = the system's
     * @param certFile client certificate, "" = none
     */
    record Http(Duration idleTimeout, Duration responseTimeout, Duration connectTimeout, int connections, boolean verify, String caFile,
            String certFile,
            String keyFile) {
    }

    /** Reads and checks the section; {@link StrictYaml#done} is for the caller. */
    static S3Config parse(StrictYaml yaml) {
        String bucket = yaml.text("bucket", "");
        if (bucket.isEmpty()) {
            throw yaml.refused("bucket", "no s3 bucket in config file");
        }
        String endpoint = yaml.text("endpoint", "");
        if (endpoint.isEmpty()) {
            throw yaml.refused("endpoint", "no s3 endpoint in config file");
        }
        if (endpoint.contains("://") || !ENDPOINT.matcher(endpoint).matches() || portOf(endpoint) > 65_535
                || !isUrl("http://" + endpoint)) {
            throw yaml.refused("endpoint",
                    "expected host or host:port without scheme and path, found " + endpoint + " (plain HTTP is \"insecure: true\")");
        }
        boolean insecure = yaml.flag("insecure", false);
        String accessKey = yaml.text("access_key", "");
        String secretKey = yaml.text("secret_key", "");
        boolean sdkAuth = yaml.flag("aws_sdk_auth", false);
        if (sdkAuth && !accessKey.isEmpty()) {
            throw yaml.refused("aws_sdk_auth", "aws_sdk_auth and access_key are mutually exclusive configurations");
        }
        if (accessKey.isEmpty() != secretKey.isEmpty()) {
            throw yaml.refused(accessKey.isEmpty() ? "access_key" : "secret_key",
                    "missing: access_key and secret_key are given together, or neither, and the environment or an IAM role supplies them");
        }
        String sessionToken = yaml.text("session_token", "");
        if (!sessionToken.isEmpty() && accessKey.isEmpty()) {
            throw yaml.refused("session_token", "belongs to access_key and secret_key, which are missing");
        }
        String stsEndpoint = yaml.text("sts_endpoint", "");
        if (!stsEndpoint.isEmpty() && !stsEndpoint.contains("://")) {
            stsEndpoint = "https://" + stsEndpoint;
        }
        if (!stsEndpoint.isEmpty() && !isUrl(stsEndpoint)) {
            throw yaml.refused("sts_endpoint", "expected https://host or http://host:port, found " + stsEndpoint);
        }
        if (yaml.flag("signature_version2", false)) {
            throw yaml.refused("signature_version2", "refused: the S3 client signs with version 4 only");
        }
        StrictYaml trace = yaml.child("trace");
        boolean traced = trace.flag("enable", false);
        trace.done();
        String listVersion = yaml.text("list_objects_version", "");
        if (!listVersion.isEmpty() && !listVersion.equals("v1") && !listVersion.equals("v2")) {
            throw yaml.refused("list_objects_version", "expected v1 or v2, found " + listVersion);
        }
        Lookup lookup = switch (yaml.text("bucket_lookup_type", "auto")) {
            case "", "auto" -> Lookup.AUTO;
            case "virtual-hosted" -> Lookup.VIRTUAL_HOSTED;
            case "path" -> Lookup.PATH;
            default -> throw yaml.refused("bucket_lookup_type",
                    "expected auto, virtual-hosted or path, found " + yaml.text("bucket_lookup_type", ""));
        };
        long partSize = yaml.number("part_size", 64L << 20, 0, MAX_PUT_BYTES);
        if (partSize == 0) {
            partSize = 64L << 20;
        } else if (partSize < MIN_PART_BYTES) {
            throw yaml.refused("part_size", "expected at least " + MIN_PART_BYTES + " (S3 refuses smaller parts), found " + partSize);
        }
        Matcher aws = AWS.matcher(host(endpoint));
        String region = yaml.text("region", "");
        if (region.isEmpty() && aws.matches() && aws.group(1) != null) {
            region = aws.group(1);
        }
        return new S3Config(bucket, endpoint, region, !yaml.flag("disable_dualstack", false), sdkAuth, accessKey, secretKey, sessionToken,
                insecure, yaml.texts("put_user_metadata"), http(yaml.child("http_config")), traced, listVersion.equals("v1"), lookup,
                yaml.flag("send_content_md5", true), !yaml.flag("disable_multipart", false), partSize,
                encryption(yaml.child("sse_config"), insecure),
                stsEndpoint, (int) yaml.number("max_retries", 0, 0, 1000));
    }

    private static boolean isUrl(String text) {
        try {
            URI uri = new URI(text);
            return uri.getHost() != null && ("https".equals(uri.getScheme()) || "http".equals(uri.getScheme()));
        } catch (URISyntaxException e) {
            return false;
        }
    }

    private static Http http(StrictYaml yaml) {
        Duration idle = yaml.duration("idle_conn_timeout", Duration.ofSeconds(90));
        Duration response = yaml.duration("response_header_timeout", Duration.ofMinutes(2));
        Duration handshake = yaml.duration("tls_handshake_timeout", Duration.ofSeconds(10));
        // Bounds a wait that never happens here: requests are sent without "Expect: 100-continue".
        yaml.duration("expect_continue_timeout", Duration.ofSeconds(1));
        // Compression is never asked for, so both values are honoured.
        yaml.flag("disable_compression", false);
        int idlePool = (int) Math.max(yaml.number("max_idle_conns", 100, 0, 100_000),
                yaml.number("max_idle_conns_per_host", 100, 0, 100_000));
        int perHost = (int) yaml.number("max_conns_per_host", 0, 0, 100_000);
        boolean insecure = yaml.flag("insecure_skip_verify", false);
        StrictYaml tls = yaml.child("tls_config");
        String ca = tls.text("ca_file", "");
        String cert = tls.text("cert_file", "");
        String key = tls.text("key_file", "");
        insecure |= tls.flag("insecure_skip_verify", false);
        if (!tls.text("server_name", "").isEmpty()) {
            throw tls.refused("server_name", "refused: the S3 client checks certificates against the endpoint's own name");
        }
        if (cert.isEmpty() != key.isEmpty()) {
            throw tls.refused(cert.isEmpty() ? "cert_file" : "key_file", "missing: cert_file and key_file are given together");
        }
        tls.done();
        yaml.done();
        return new Http(idle, response, handshake, perHost > 0 ? perHost : Math.max(100, idlePool), !insecure, ca, cert, key);
    }

    private static Encryption encryption(StrictYaml yaml, boolean insecure) {
        String type = yaml.text("type", "");
        String keyId = yaml.text("kms_key_id", "");
        Map<String, String> context = yaml.texts("kms_encryption_context");
        String keyFile = yaml.text("encryption_key", "");
        yaml.done();
        return switch (type.toUpperCase(Locale.ROOT)) {
            case "" -> new Encryption.None();
            case "SSE-S3" -> new Encryption.Managed();
            case "SSE-KMS" -> {
                if (keyId.isEmpty()) {
                    throw yaml.refused("kms_key_id", "missing: SSE-KMS needs a key id");
                }
                yield new Encryption.Kms(keyId, context);
            }
            case "SSE-C" -> {
                if (insecure) {
                    throw yaml.refused("type", "SSE-C sends the key along and is refused over plain HTTP (\"insecure: true\")");
                }
                yield new Encryption.CustomerKey(customerKey(yaml, keyFile));
            }
            default -> throw yaml.refused("type", "unsupported type of S3 encryption, expected SSE-S3, SSE-KMS or SSE-C, found " + type);
        };
    }

    private static byte[] customerKey(StrictYaml yaml, String file) {
        try {
            byte[] key = Files.readAllBytes(Path.of(file));
            if (key.length != 32) {
                throw yaml.refused("encryption_key", "expected a file of 32 bytes, found " + key.length + " in " + file);
            }
            return key;
        } catch (IOException e) {
            throw new InvalidRequestException(yaml.refused("encryption_key", "cannot read the file \"" + file + "\"").getMessage(), e);
        }
    }

    /** The port, 0 where none is given. */
    private static int portOf(String endpoint) {
        String host = host(endpoint);
        return host.length() == endpoint.length() ? 0 : Integer.parseInt(endpoint.substring(host.length() + 1));
    }

    private static String host(String endpoint) {
        int colon = endpoint.lastIndexOf(':');
        return colon > endpoint.lastIndexOf(']') ? endpoint.substring(0, colon) : endpoint;
    }

    /** The endpoint's host without port. */
    String host() {
        return host(endpoint);
    }

    /** The endpoint's port, that of the protocol where it names none. */
    int port() {
        int port = portOf(endpoint);
        return port > 0 ? port : insecure ? 80 : 443;
    }

    /** The endpoint with its protocol. */
    URI url() {
        return URI.create((insecure ? "http://" : "https://") + endpoint);
    }

    /** Whether the endpoint is AWS' own. */
    boolean isAws() {
        return host().endsWith(".amazonaws.com") || host().endsWith(".amazonaws.com.cn");
    }

    /** Whether the endpoint is the public one of AWS, which the SDK builds itself from the region (dual-stack or not). */
    boolean isPublicAws() {
        Matcher m = AWS.matcher(host());
        return !insecure && endpoint.equals(host()) && m.matches() && host().startsWith("s3");
    }

    /** Whether the bucket's name goes into the path, not the host. */
    boolean pathStyle() {
        return switch (lookup) {
            case PATH -> true;
            case VIRTUAL_HOSTED -> false;
            // A bucket with dots does not match the certificate of a wildcard host.
            case AUTO -> !(isAws() || host().endsWith(".aliyuncs.com") || host().endsWith("storage.googleapis.com"))
                    || bucket.contains(".") && !insecure;
        };
    }

    /** The part size for an object: the configured one, larger where the object would need too many parts. */
    long partSizeFor(long objectBytes) {
        long least = (objectBytes + MAX_PARTS - 1) / MAX_PARTS;
        return Math.max(partSizeBytes, (least + 0xFFFFF) & ~0xFFFFFL);
    }

    /** The region to sign for. */
    Optional<String> knownRegion() {
        return region.isEmpty() ? Optional.empty() : Optional.of(region);
    }

    @Override
    public String toString() {
        return "S3Config[" + endpoint + "/" + bucket + "]";
    }
}
