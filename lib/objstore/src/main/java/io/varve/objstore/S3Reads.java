package io.varve.objstore;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.InvalidKeyException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Clock;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.Locale;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.core.exception.SdkException;

/**
 * GET of objects and of pages of listings without the AWS client: what nearly all requests of a store gateway are. A request is
 * signed with version 4 ("Authenticating Requests", Amazon S3 API reference) and sent; anything but the object or the page itself — an
 * error, a redirect, a broken connection — is left to the client, which asks again with its retries and its knowledge of errors. The
 * client spends several times as much processor time on a small object, most of all in a process that has just started.
 *
 * <p>
 * For servers at an endpoint of their own without a proxy before it. Amazon's endpoints, which have regions to find and checksums to look
 * at, and requests with customer keys stay with the client. Safe for many threads.
 */
final class S3Reads {
    private static final Logger LOG = LoggerFactory.getLogger(S3Reads.class);
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);
    /** SHA-256 of nothing. */
    private static final String NO_BODY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /** A page of 1,000 keys of 1,024 bytes, each of them written as three, with what is around it. */
    private static final int MAX_PAGE = 8 << 20;

    private final HttpReads http;
    private final AwsCredentialsProvider credentials;
    private final String hostHeader;
    private final String pathPrefix;
    private final String region;
    private final Clock clock;
    private volatile boolean refused;
    private volatile @Nullable SigningKey signingKey;

    private record SigningKey(String day, String secret, byte[] key) {
    }

    /**
     * @param hostHeader the endpoint's host, with the bucket before it where it is addressed so, and the port where it is not the usual one
     * @param pathPrefix what comes before the key: {@code /}, or {@code /bucket/}
     */
    S3Reads(HttpReads http, AwsCredentialsProvider credentials, String hostHeader, String pathPrefix, String region, Clock clock) {
        this.http = http;
        this.credentials = credentials;
        this.hostHeader = hostHeader;
        this.pathPrefix = pathPrefix;
        this.region = region;
        this.clock = clock;
    }

    /** The object or the range of it, null where the client should be asked instead. */
    @Nullable
    ObjectStream get(String key, @Nullable String range, @Nullable String etag) {
        String more = (range == null ? "" : "Range: " + range + "\r\n") + (etag == null ? "" : "If-Match: " + etag + "\r\n");
        HttpReads.Answer answer = ask(pathPrefix + encoded(key), "", more, key);
        if (answer == null) {
            return null;
        }
        String length = answer.header("Content-Length");
        if (length.isEmpty() || answer.status() != 206 && (answer.status() != 200 || range != null)) {
            answer.close();
            return null;
        }
        String contentRange = answer.header("Content-Range");
        String tag = answer.header("ETag");
        return new ObjectStream(answer.body(), Long.parseLong(length), contentRange.isEmpty() ? null : contentRange,
                tag.isEmpty() ? null : tag, answer::abort);
    }

    /** A page of a listing, null where the client should be asked instead. */
    @Nullable
    ListPage list(ListPage.Question question) {
        StringBuilder query = new StringBuilder();
        // In the order of names, as they are signed.
        parameter(query, "continuation-token", question.token());
        parameter(query, "delimiter", question.delimiter());
        parameter(query, "encoding-type", "url");
        parameter(query, "list-type", "2");
        parameter(query, "prefix", question.prefix());
        parameter(query, "start-after", question.startAfter());
        String path = pathPrefix.length() == 1 ? pathPrefix : pathPrefix.substring(0, pathPrefix.length() - 1);
        try (HttpReads.Answer answer = ask(path, query.toString(), "", question.prefix())) {
            if (answer == null || answer.status() != 200) {
                return null;
            }
            byte[] body = answer.body().readNBytes(MAX_PAGE);
            return body.length == MAX_PAGE ? null : ListPage.parse(new String(body, StandardCharsets.UTF_8));
        } catch (IOException | IllegalArgumentException | DateTimeException e) {
            LOG.debug("listing is left to the S3 client prefix={} err=\"{}\"", question.prefix(), e.toString());
            return null;
        }
    }

    private static void parameter(StringBuilder query, String name, @Nullable String value) {
        if (value != null) {
            query.append(query.isEmpty() ? "" : "&").append(name).append('=').append(encoded(value).replace("/", "%2F"));
        }
    }

    private HttpReads.@Nullable Answer ask(String path, String query, String moreHeaders, String what) {
        if (refused) {
            return null;
        }
        try {
            AwsCredentials who = credentials.resolveCredentials();
            String time = TIME.format(Instant.now(clock));
            String token = who instanceof AwsSessionCredentials session ? session.sessionToken() : "";
            HttpReads.Answer answer = http.get(query.isEmpty() ? path : path + "?" + query,
                    "Host: " + hostHeader + "\r\nUser-Agent: varve\r\nx-amz-content-sha256: " + NO_BODY + "\r\nx-amz-date: " + time + "\r\n"
                            + (token.isEmpty() ? "" : "x-amz-security-token: " + token + "\r\n") + moreHeaders + "Authorization: "
                            + authorization(who.accessKeyId(), who.secretAccessKey(), token, path, query, time) + "\r\n");
            if (answer.status() == 400 || answer.status() == 401 || answer.status() == 403) {
                // A clock that is off, or a server with rules of its own: the client finds out once, and has all requests from now on.
                refused = true;
                LOG.debug("requests go through the S3 client from now on: server answered status={}", answer.status());
            }
            return answer;
        } catch (IOException | SdkException | NumberFormatException e) {
            LOG.debug("request is left to the S3 client key={} err=\"{}\"", what, e.toString());
            return null;
        }
    }

    /** The value of the header that proves who asks. */
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
