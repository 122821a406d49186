package io.varve.objstore;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.InvalidKeyException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Collections;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Objects;
import java.util.SortedMap;
import java.util.StringJoiner;
import java.util.TreeMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpFullRequest;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpResponse;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;

/**
 * GET of objects and pages of listings without the AWS client around it, over the same connections: what most requests of a store gateway are. A request is
 * signed with version 4 ("Authenticating Requests", Amazon S3 API reference) and sent; anything but the object itself — an error, a
 * redirect, a broken connection — is left to the client, which asks again with its retries and its knowledge of errors. The client spends
 * several times as much processor time on a small object, most of all in a process that has just started.
 *
 * <p>
 * For servers at an endpoint of their own. Amazon's endpoints, which have regions to find and checksums to look at, and requests with
 * customer keys stay with the client. Safe for many threads.
 */
final class S3Reads {
    private static final Logger LOG = LoggerFactory.getLogger(S3Reads.class);
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);
    /** SHA-256 of nothing. */
    private static final String NO_BODY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    private static final SortedMap<String, String> NO_QUERY = Collections.emptySortedMap();
    /** A page has 1,000 keys of at most 1,024 bytes. */
    private static final int MAX_PAGE_BYTES = 16 << 20;

    private final SdkHttpClient http;
    private final AwsCredentialsProvider credentials;
    private final String protocol;
    private final String host;
    private final int port;
    private final String hostHeader;
    private final String pathPrefix;
    private final String bucketPath;
    private final String region;
    private final Clock clock;
    private volatile boolean refused;
    private volatile @Nullable SigningKey signingKey;

    private record SigningKey(String day, String secret, byte[] key) {
    }

    /**
     * @param host the endpoint's host, with the bucket before it where it is addressed so
     * @param port the endpoint's
     * @param pathPrefix what comes before the key: {@code /}, or {@code /bucket/}
     */
    S3Reads(SdkHttpClient http, AwsCredentialsProvider credentials, boolean insecure, String host, int port, String pathPrefix,
            String region,
            Clock clock) {
        this.http = http;
        this.credentials = credentials;
        this.protocol = insecure ? "http" : "https";
        this.host = host;
        this.port = port;
        this.hostHeader = port == (insecure ? 80 : 443) ? host : host + ":" + port;
        this.pathPrefix = pathPrefix;
        this.bucketPath = pathPrefix.length() == 1 ? pathPrefix : pathPrefix.substring(0, pathPrefix.length() - 1);
        this.region = region;
        this.clock = clock;
    }

    /** The object or the range of it, null where the client should be asked instead. */
    @Nullable
    ResponseInputStream<GetObjectResponse> get(String key, @Nullable String range, @Nullable String etag) {
        if (refused) {
            return null;
        }
        AbortableInputStream open = null;
        try {
            HttpExecuteResponse answer = http
                    .prepareRequest(HttpExecuteRequest.builder().request(request(pathPrefix + encoded(key), NO_QUERY, range, etag)).build())
                    .call();
            open = answer.responseBody().orElse(null);
            SdkHttpResponse head = answer.httpResponse();
            int status = head.statusCode();
            String length = head.firstMatchingHeader("Content-Length").orElse("");
            if (open != null && !length.isEmpty() && (status == 206 || status == 200 && range == null)) {
                GetObjectResponse.Builder response = GetObjectResponse.builder().contentLength(Long.parseLong(length));
                head.firstMatchingHeader("ETag").ifPresent(response::eTag);
                head.firstMatchingHeader("Content-Range").ifPresent(response::contentRange);
                return new ResponseInputStream<>(response.build(), open);
            }
            refuse(status);
        } catch (IOException | SdkException | NumberFormatException e) {
            LOG.debug("request is left to the S3 client key={} err=\"{}\"", key, e.toString());
        }
        if (open != null) {
            open.abort();
        }
        return null;
    }

    /** A page of a listing, null where the client should be asked instead. Parameters are those of {@code ListObjectsV2}. */
    @Nullable
    S3Page list(String prefix, @Nullable String delimiter, @Nullable String token, @Nullable String startAfter) {
        if (refused) {
            return null;
        }
        SortedMap<String, String> query = new TreeMap<>();
        query.put("list-type", "2");
        // Not every character of a key can be written in XML.
        query.put("encoding-type", "url");
        query.put("prefix", prefix);
        query.put("delimiter", Objects.requireNonNullElse(delimiter, ""));
        query.put("continuation-token", Objects.requireNonNullElse(token, ""));
        query.put("start-after", Objects.requireNonNullElse(startAfter, ""));
        query.values().removeIf(String::isEmpty);
        try {
            HttpExecuteResponse answer = http
                    .prepareRequest(HttpExecuteRequest.builder().request(request(bucketPath, query, null, null)).build()).call();
            AbortableInputStream open = answer.responseBody().orElse(null);
            if (open == null) {
                return null;
            }
            if (answer.httpResponse().statusCode() != 200) {
                open.abort();
                refuse(answer.httpResponse().statusCode());
                return null;
            }
            byte[] body = open.readNBytes(MAX_PAGE_BYTES);
            if (body.length == MAX_PAGE_BYTES) {
                open.abort();
                return null;
            }
            open.close();
            return S3Page.parse(body);
        } catch (IOException | SdkException | IllegalArgumentException e) {
            LOG.debug("request is left to the S3 client list={} err=\"{}\"", prefix, e.toString());
            return null;
        }
    }

    /** A clock that is off, or a server with rules of its own: the client finds out once, and has all requests from now on. */
    private void refuse(int status) {
        if (status == 400 || status == 401 || status == 403) {
            refused = true;
            LOG.debug("requests go through the S3 client from now on: server answered status={}", status);
        }
    }

    private SdkHttpFullRequest request(String path, SortedMap<String, String> query, @Nullable String range, @Nullable String etag) {
        AwsCredentials who = credentials.resolveCredentials();
        String time = TIME.format(Instant.now(clock));
        SdkHttpFullRequest.Builder request = SdkHttpFullRequest.builder().method(SdkHttpMethod.GET).protocol(protocol).host(host).port(port)
                .encodedPath(path).putHeader("Host", hostHeader).putHeader("x-amz-content-sha256", NO_BODY).putHeader("x-amz-date", time);
        String token = who instanceof AwsSessionCredentials session ? session.sessionToken() : "";
        if (!token.isEmpty()) {
            request.putHeader("x-amz-security-token", token);
        }
        StringJoiner canonical = new StringJoiner("&");
        query.forEach((name, value) -> {
            request.putRawQueryParameter(name, value);
            canonical.add(name + "=" + encoded(value).replace("/", "%2F"));
        });
        if (range != null) {
            request.putHeader("Range", range);
        }
        if (etag != null) {
            request.putHeader("If-Match", etag);
        }
        return request.putHeader("Authorization",
                authorization(who.accessKeyId(), who.secretAccessKey(), token, path, canonical.toString(), time)).build();
    }

    /**
     * The value of the header that proves who asks.
     *
     * @param path as it is sent
     * @param query as it is sent, sorted by name
     */
    String authorization(String accessKey, String secretKey, String token, String path, String query, String time) {
        String day = time.substring(0, 8);
        String scope = day + "/" + region + "/s3/aws4_request";
        String signed = "host;x-amz-content-sha256;x-amz-date" + (token.isEmpty() ? "" : ";x-amz-security-token");
        String canonical = "GET\n" + path + "\n" + query + "\nhost:" + hostHeader + "\nx-amz-content-sha256:" + NO_BODY + "\nx-amz-date:"
                + time
                + (token.isEmpty() ? "" : "\nx-amz-security-token:" + token) + "\n\n" + signed + "\n" + NO_BODY;
        String text = "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + HexFormat.of().formatHex(sha256(canonical));
        SigningKey key = signingKey;
        if (key == null || !key.day.equals(day) || !key.secret.equals(secretKey)) {
            byte[] k = hmac(("AWS4" + secretKey).getBytes(StandardCharsets.UTF_8), day);
            for (String part : new String[]{region, "s3", "aws4_request"}) {
                k = hmac(k, part);
            }
            key = new SigningKey(day, secretKey, k);
            signingKey = key;
        }
        return "AWS4-HMAC-SHA256 Credential=" + accessKey + "/" + scope + ", SignedHeaders=" + signed + ", Signature="
                + HexFormat.of().formatHex(hmac(key.key, text));
    }

    /** A key as S3 wants it in a path and in what is signed: all but unreserved characters and slashes as %XX of UTF-8. */
    static String encoded(String key) {
        byte[] bytes = key.getBytes(StandardCharsets.UTF_8);
        StringBuilder out = new StringBuilder(bytes.length + 16);
        for (byte b : bytes) {
            char c = (char) (b & 0xFF);
            if (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || "-._~/".indexOf(c) >= 0) {
                out.append(c);
            } else {
                out.append('%').append(HexFormat.of().withUpperCase().toHexDigits(b));
            }
        }
        return out.toString();
    }

    private static byte[] sha256(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static byte[] hmac(byte[] key, String text) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key, "HmacSHA256"));
            return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException | InvalidKeyException e) {
            throw new IllegalStateException(e);
        }
    }
}
