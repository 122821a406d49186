package io.varve.objstore;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.varve.model.InvalidRequestException;
import io.varve.model.UnavailableException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What goes over the wire to an S3 server: where requests are sent, what they carry, how often they are sent again. */
class S3WireTest {
    @TempDir
    Path dir;

    private final List<Asked> asked = Collections.synchronizedList(new ArrayList<>());
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private @Nullable HttpServer server;

    /** A request as it arrived; header names in lower case. */
    private record Asked(String method, String uri, Map<String, String> headers) {
        String header(String name) {
            return headers.getOrDefault(name, "");
        }
    }

    /** Status, headers (pairs) and body for a request. */
    private record Answer(int status, String body, String... headers) {
        static final Answer OK = new Answer(200, "", "ETag", "\"e\"");
    }

    private interface Script {
        Answer answer(Asked asked);
    }

    @AfterEach
    void stop() {
        HttpServer s = server;
        if (s != null) {
            s.stop(0);
        }
        threads.shutdownNow();
    }

    private int serve(HttpServer s, Script script) {
        server = s;
        s.setExecutor(threads);
        s.createContext("/", exchange -> {
            try (exchange) {
                exchange.getRequestBody().readAllBytes();
                Map<String, String> headers = new HashMap<>();
                exchange.getRequestHeaders().forEach((k, v) -> headers.put(k.toLowerCase(java.util.Locale.ROOT), String.join(",", v)));
                Asked a = new Asked(exchange.getRequestMethod(), exchange.getRequestURI().toString(), headers);
                asked.add(a);
                send(exchange, script.answer(a));
            }
        });
        s.start();
        return s.getAddress().getPort();
    }

    private static void send(HttpExchange exchange, Answer answer) throws IOException {
        for (int i = 0; i < answer.headers.length; i += 2) {
            exchange.getResponseHeaders().add(answer.headers[i], answer.headers[i + 1]);
        }
        byte[] body = answer.body.getBytes(UTF_8);
        boolean none = body.length == 0 || exchange.getRequestMethod().equals("HEAD");
        if (exchange.getRequestMethod().equals("HEAD") && !answer.body.isEmpty()) {
            exchange.getResponseHeaders().add("Content-Length", Integer.toString(body.length));
        }
        exchange.sendResponseHeaders(answer.status, none ? -1 : body.length);
        if (!none) {
            exchange.getResponseBody().write(body);
        }
    }

    private int serve(Script script) throws IOException {
        return serve(HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0), script);
    }

    private static Bucket open(String endpoint, Map<String, String> env, String... lines) {
        StringBuilder yaml = new StringBuilder("type: S3\nconfig:\n  bucket: blocks\n  endpoint: " + endpoint + "\n");
        for (String l : lines) {
            yaml.append("  ").append(l).append('\n');
        }
        return BucketFactory.open(yaml.toString(), env);
    }

    private static Bucket open(int port, String... lines) {
        List<String> all = new ArrayList<>(List.of("insecure: true", "access_key: id", "secret_key: secret"));
        all.addAll(List.of(lines));
        return open("127.0.0.1:" + port, Map.of(), all.toArray(String[]::new));
    }

    private List<Asked> asked(String method) {
        return asked.stream().filter(a -> a.method.equals(method)).toList();
    }

    @Test
    void aBusyServerIsAskedAgainAndNotForever() throws IOException {
        AtomicInteger busy = new AtomicInteger(2);
        int port = serve(a -> busy.getAndDecrement() > 0 ? new Answer(503, "") : Answer.OK);
        try (Bucket b = open(port, "max_retries: 3")) {
            b.upload("x", ObjectBody.of("x".getBytes(UTF_8)));
            assertThat(asked("PUT")).hasSize(3);
            busy.set(Integer.MAX_VALUE);
            assertThatThrownBy(() -> b.upload("y", ObjectBody.of("y".getBytes(UTF_8)))).isInstanceOf(UnavailableException.class)
                    .hasMessageContaining("upload y");
            assertThat(asked("PUT")).hasSize(3 + 4);
            // The tokens for retries run out: a store that is down gets one request for each call, not four.
            List<Future<?>> calls = new ArrayList<>();
            for (int i = 0; i < 60; i++) {
                calls.add(threads.submit(() -> b.delete("z")));
            }
            for (Future<?> f : calls) {
                assertThatThrownBy(f::get).hasCauseInstanceOf(UnavailableException.class);
            }
            asked.clear();
            assertThatThrownBy(() -> b.delete("z")).isInstanceOf(UnavailableException.class);
            assertThat(asked).hasSize(1);
        }
    }

    private static Answer multipart(Asked a, Answer part) {
        return switch (a.method) {
            case "POST" -> a.uri.endsWith("?uploads")
                    ? new Answer(200, "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
                    : new Answer(200, "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>");
            case "PUT" -> part;
            default -> new Answer(204, "");
        };
    }

    @Test
    void aPartThatFailsIsSentAgain() throws IOException {
        AtomicInteger failures = new AtomicInteger(1);
        int port = serve(
                a -> multipart(a, a.uri.contains("partNumber=2") && failures.getAndDecrement() > 0 ? new Answer(500, "") : Answer.OK));
        try (Bucket b = open(port, "part_size: 5242880", "sse_config: {type: SSE-S3}")) {
            b.upload("big", ObjectBody.of(new byte[11 << 20]));
        }
        assertThat(asked("PUT")).hasSize(4).allMatch(a -> a.uri.contains("uploadId=u1"));
        assertThat(asked("POST")).hasSize(2);
        assertThat(asked("POST").getFirst().header("x-amz-server-side-encryption")).isEqualTo("AES256");
        assertThat(asked("DELETE")).isEmpty();
    }

    @Test
    void anUploadThatFailsLeavesNoParts() throws IOException {
        int port = serve(a -> multipart(a, a.uri.contains("partNumber=2") ? new Answer(400, "") : Answer.OK));
        try (Bucket b = open(port, "part_size: 5242880")) {
            assertThatThrownBy(() -> b.upload("big", ObjectBody.of(new byte[11 << 20]))).isInstanceOf(UnavailableException.class)
                    .hasMessageContaining("upload big");
        }
        assertThat(asked("DELETE")).singleElement().matches(a -> a.uri.contains("uploadId=u1"));
        assertThat(asked("POST")).as("not completed").hasSize(1);
    }

    @Test
    void encryptionGoesAlong() throws IOException {
        int port = serve(a -> Answer.OK);
        try (Bucket b = open(port, "sse_config: {type: SSE-KMS, kms_key_id: k1, kms_encryption_context: {team: a}}")) {
            b.upload("x", ObjectBody.of("x".getBytes(UTF_8)));
        }
        Asked put = asked("PUT").getFirst();
        assertThat(put.header("x-amz-server-side-encryption")).isEqualTo("aws:kms");
        assertThat(put.header("x-amz-server-side-encryption-aws-kms-key-id")).isEqualTo("k1");
        assertThat(new String(Base64.getDecoder().decode(put.header("x-amz-server-side-encryption-context")), UTF_8)).contains("team")
                .contains("\"a\"");
    }

    @Test
    void headersAndMetadataGoAlong() throws IOException {
        int port = serve(a -> Answer.OK);
        try (Bucket b = open(port, "session_token: t1", "put_user_metadata:", "  X-Amz-Meta-Team: a", "  owner: b",
                "  X-Amz-Storage-Class: STANDARD_IA", "send_content_md5: true")) {
            b.upload("x", ObjectBody.of("x".getBytes(UTF_8)));
        }
        Asked put = asked("PUT").getFirst();
        assertThat(put.header("x-amz-security-token")).isEqualTo("t1");
        assertThat(put.header("x-amz-meta-team")).isEqualTo("a");
        assertThat(put.header("x-amz-meta-owner")).isEqualTo("b");
        assertThat(put.header("x-amz-storage-class")).isEqualTo("STANDARD_IA");
        assertThat(put.header("content-md5")).isNotEmpty();
        assertThat(put.header("authorization")).contains("Credential=id/").contains("/us-east-1/s3/aws4_request");
    }

    @Test
    void theBucketIsInTheHostOrInThePath() throws IOException {
        int port = serve(a -> a.method.equals("HEAD") ? new Answer(200, "x") : Answer.OK);
        // Hosts that do not exist are reached through the proxy, which sees what was asked for.
        Map<String, String> env = Map.of("HTTP_PROXY", "http://user:pw@127.0.0.1:" + port);
        String[] keys = {"insecure: true", "access_key: id", "secret_key: secret", "region: eu-north-1",
                "bucket_lookup_type: virtual-hosted"};
        try (Bucket b = open("s3.store.example", env, keys)) {
            b.upload("dir/x", ObjectBody.of("x".getBytes(UTF_8)));
            assertThat(b.find("dir/x")).isPresent();
        }
        assertThat(asked).extracting(Asked::uri).containsExactly("http://blocks.s3.store.example/dir/x",
                "http://blocks.s3.store.example/dir/x");
        assertThat(asked.getFirst().header("proxy-authorization"))
                .isEqualTo("Basic " + Base64.getEncoder().encodeToString("user:pw".getBytes(UTF_8)));
        assertThat(asked.getFirst().header("authorization")).contains("/eu-north-1/s3/");
        asked.clear();
        keys[4] = "bucket_lookup_type: path";
        try (Bucket b = open("s3.store.example", env, keys)) {
            b.delete("dir/x");
        }
        assertThat(asked).extracting(Asked::uri).containsExactly("http://s3.store.example/blocks/dir/x");
    }

    @Test
    void aTokenOfTheClusterBecomesCredentials() throws IOException {
        int port = serve(a -> a.method.equals("POST")
                ? new Answer(200,
                        """
                                <AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
                                <Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>from-sts</SessionToken>
                                <Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
                                </AssumeRoleWithWebIdentityResponse>""",
                        "Content-Type", "text/xml")
                : Answer.OK);
        Path token = Files.writeString(dir.resolve("token"), "jwt");
        try (Bucket b = open("127.0.0.1:" + port,
                Map.of("AWS_WEB_IDENTITY_TOKEN_FILE", token.toString(), "AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
                "insecure: true", "sts_endpoint: http://127.0.0.1:" + port)) {
            b.upload("x", ObjectBody.of("x".getBytes(UTF_8)));
            b.upload("y", ObjectBody.of("y".getBytes(UTF_8)));
        }
        assertThat(asked("POST")).as("credentials are kept").hasSize(1);
        assertThat(asked("PUT")).hasSize(2).allMatch(a -> a.header("x-amz-security-token").equals("from-sts")
                && a.header("authorization").contains("Credential=ASIA1/"));
    }

    @Test
    void tlsTrustsTheFileThatIsNamedAndCarriesTheCustomersKey() throws Exception {
        Path store = dir.resolve("server.p12");
        keytool("-genkeypair", "-alias", "s", "-keyalg", "EC", "-dname", "CN=s", "-ext", "san=ip:127.0.0.1", "-keystore", store.toString());
        Path ca = dir.resolve("ca.pem");
        keytool("-exportcert", "-rfc", "-alias", "s", "-keystore", store.toString(), "-file", ca.toString());
        java.security.KeyStore keys = java.security.KeyStore.getInstance(store.toFile(), "changeit".toCharArray());
        var factory = javax.net.ssl.KeyManagerFactory.getInstance(javax.net.ssl.KeyManagerFactory.getDefaultAlgorithm());
        factory.init(keys, "changeit".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(factory.getKeyManagers(), null, null);
        HttpsServer https = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        https.setHttpsConfigurator(new HttpsConfigurator(context));
        int port = serve(https, a -> !a.method.equals("PUT") ? new Answer(200, "x", "ETag", "\"e\"") : Answer.OK);
        byte[] secret = new byte[32];
        secret[0] = 7;
        String key = Files.write(dir.resolve("key"), secret).toString();
        String[] lines = {"access_key: id", "secret_key: secret", "max_retries: 1",
                "sse_config: {type: SSE-C, encryption_key: '" + key + "'}",
                "http_config: {tls_config: {ca_file: '" + ca + "'}}"};
        try (Bucket b = open("127.0.0.1:" + port, Map.of(), lines)) {
            b.upload("x", ObjectBody.of("x".getBytes(UTF_8)));
            b.open("x").close();
            assertThat(b.find("x")).isPresent();
        }
        assertThat(asked).hasSize(3).allMatch(a -> a.header("x-amz-server-side-encryption-customer-algorithm").equals("AES256")
                && a.header("x-amz-server-side-encryption-customer-key").equals(Base64.getEncoder().encodeToString(secret)));
        asked.clear();
        lines[4] = "region: us-east-1";
        try (Bucket b = open("127.0.0.1:" + port, Map.of(), lines)) {
            assertThatThrownBy(() -> b.upload("x", ObjectBody.of("x".getBytes(UTF_8)))).isInstanceOf(UnavailableException.class);
        }
        assertThat(asked).as("nobody vouches for the server").isEmpty();
        try (Bucket b = open("127.0.0.1:" + port, Map.of("SSL_CERT_FILE", ca.toString()), lines)) {
            b.upload("x", ObjectBody.of("x".getBytes(UTF_8)));
        }
        lines[4] = "http_config: {insecure_skip_verify: true}";
        try (Bucket b = open("127.0.0.1:" + port, Map.of(), lines)) {
            b.upload("x", ObjectBody.of("x".getBytes(UTF_8)));
        }
        assertThat(asked).hasSize(2);
    }

    /** It may have fewer bytes than were asked for, and be taken for what was asked for. */
    @Test
    void aServerThatSendsTheWholeObjectInPlaceOfARangeIsNamed() throws IOException {
        int port = serve(a -> new Answer(200, "0123456789", "ETag", "\"e\""));
        try (Bucket b = open(port)) {
            assertThatThrownBy(() -> b.readRange("k", 5, 100)).isInstanceOf(UnavailableException.class)
                    .hasMessageContaining("asked for 100 bytes from 5, server sends 10 (no range: it does not support range reads)");
            assertThatThrownBy(() -> b.readRange("k", 0, 5)).isInstanceOf(UnavailableException.class)
                    .hasMessageContaining("it does not support range reads");
        }
    }

    @Test
    void aServerThatDoesNotTellASizeIsNamed() throws IOException {
        int port = serve(a -> Answer.OK);
        try (Bucket b = open(port)) {
            assertThatThrownBy(() -> b.find("x")).isInstanceOf(UnavailableException.class).hasMessageContaining("find x")
                    .hasMessageContaining("size");
        }
    }

    @Test
    void listingsAreTheSameWithTheClientAndWithout() throws IOException {
        String page = "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><EncodingType>url</EncodingType>"
                + "<IsTruncated>MORE</IsTruncated>NEXT<Contents><Key>NAME+%26&amp;%C3%BC</Key><LastModified>2026-01-02T03:04:05.678Z"
                + "</LastModified><Size>7</Size></Contents><Contents><Key>NAMEx/</Key><Size>0</Size></Contents></ListBucketResult>";
        int port = serve(a -> new Answer(200, a.uri.contains("continuation-token=t%261")
                ? page.replace("MORE", "false").replace("NEXT", "").replace("NAME", "b")
                : page.replace("MORE", "true").replace("NEXT", "<NextContinuationToken>t&amp;1</NextContinuationToken>").replace("NAME",
                        "a")));
        List<List<BucketReader.ObjectAttributes>> found = new ArrayList<>();
        for (String trace : List.of("trace: {enable: true}", "trace: {enable: false}")) {
            List<BucketReader.ObjectAttributes> all = new ArrayList<>();
            try (Bucket b = open(port, trace)) {
                b.listRecursive("some dir", all::add);
            }
            found.add(all);
        }
        assertThat(found.getFirst()).extracting(BucketReader.ObjectAttributes::key).containsExactly("a &&ü", "b &&ü");
        assertThat(found.getLast()).isEqualTo(found.getFirst());
        assertThat(asked).hasSize(4).extracting(a -> a.uri.replaceAll("prefix=some(%20|\\+)dir(%2F|/)", "prefix"))
                .allMatch(u -> u.contains("prefix"));
    }

    @Test
    void aPageThatIsNoListingIsLeftToTheClientAndItsErrorIsSaid() throws IOException {
        int port = serve(a -> new Answer(404, "<Error><Code>NoSuchBucket</Code><Message>gone</Message></Error>"));
        try (Bucket b = open(port, "max_retries: 1")) {
            assertThatThrownBy(() -> b.listRecursive("", o -> {
            })).isInstanceOf(UnavailableException.class).hasMessageContaining("NoSuchBucket");
        }
    }

    @Test
    void authoritiesAreNotReadForPlainHttp() throws Exception {
        int port = serve(a -> Answer.OK);
        Map<String, String> env = Map.of("SSL_CERT_FILE", "/absent.pem", "SSL_CERT_DIR", "/absent", "AWS_CA_BUNDLE", "/absent.pem");
        try (Bucket b = open("127.0.0.1:" + port, env, "insecure: true", "access_key: id", "secret_key: secret")) {
            b.upload("x", ObjectBody.of("x".getBytes(UTF_8)));
        }
        assertThatThrownBy(() -> open("127.0.0.1:" + port, env, "access_key: id", "secret_key: secret"))
                .isInstanceOf(InvalidRequestException.class).hasMessageContaining("/absent");
    }

    @Test
    void aListingWhosePagesAreKnownTakesAPageEach() throws IOException {
        int port = serve(a -> new Answer(200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"));
        try (Bucket b = open(port)) {
            b.listRecursive("", List.of("01A0/", "01A5/", "01B/"), o -> {
            });
        }
        assertThat(asked).extracting(a -> a.uri.replaceFirst(".*\\?", ""))
                .extracting(q -> q.contains("start-after=") ? q.replaceFirst(".*start-after=([^&]*).*", "$1") : "")
                .containsExactlyInAnyOrder("", "01A0%2F", "01A5%2F", "01B%2F");
        assertThat(asked).extracting(a -> a.uri).filteredOn(u -> u.contains("start-after=01A0")).allMatch(u -> u.contains("prefix=01A"));
    }

    @Test
    void aListingThatGoesOnNowhereIsNoWholeListing() throws IOException {
        int port = serve(a -> new Answer(200, "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"));
        for (String version : List.of("list_objects_version: v1", "list_objects_version: v2")) {
            try (Bucket b = open(port, version)) {
                assertThatThrownBy(() -> b.listRecursive("", o -> {
                })).isInstanceOf(UnavailableException.class).hasMessageContaining("more follows, but not where");
            }
        }
    }

    private static void keytool(String... args) throws Exception {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "keytool").toString()));
        command.addAll(List.of(args));
        command.addAll(List.of("-storepass", "changeit", "-storetype", "PKCS12"));
        Process p = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(p.getInputStream().readAllBytes(), UTF_8);
        assertThat(p.waitFor()).as(said).isZero();
    }

    @Test
    void aSlowRangeReadIsOvertakenByASecondRequest() throws Exception {
        MemoryBucket memory = new MemoryBucket("hedged");
        memory.upload("x", ObjectBody.of("0123456789".getBytes(UTF_8)));
        AtomicInteger slow = new AtomicInteger();
        FaultyBucket faulty = new FaultyBucket(memory,
                e -> slow.getAndDecrement() > 0 ? new FaultyBucket.Fault.Delay(60_000) : new FaultyBucket.Fault.None());
        try (HedgedBucket b = new HedgedBucket(faulty, 3, 0.9)) {
            for (int i = 0; i < 300; i++) {
                assertThat(b.readRange("x", i % 5, 2)).hasSize(2);
            }
            slow.set(2);
            long before = faulty.operations();
            assertThat(b.readRange("x", 3, 4)).asString().isEqualTo("3456");
            assertThat(faulty.operations() - before).as("two hung, the third answered").isEqualTo(3);
            assertThatThrownBy(() -> b.readRange("absent", 0, 1)).isInstanceOf(NoSuchObjectException.class);
        }
    }

    /** Every key that Thanos' S3 section has is taken, with a value that is not the default. */
    @Test
    void everyKeyOfThanosIsKnown() throws Exception {
        String key = Files.write(dir.resolve("key"), new byte[32]).toString();
        for (String line : List.of("region: x", "disable_dualstack: true", "aws_sdk_auth: true", "insecure: true",
                "signature_version2: false",
                "put_user_metadata: {a: b}", "trace: {enable: true}", "list_objects_version: v1", "list_objects_version: v2",
                "bucket_lookup_type: path", "bucket_lookup_type: virtual-hosted", "bucket_lookup_type: auto", "send_content_md5: false",
                "disable_multipart: true", "part_size: 10485760", "sts_endpoint: https://sts.example", "max_retries: 2",
                "sse_config: {type: SSE-S3}", "sse_config: {type: SSE-KMS, kms_key_id: k, kms_encryption_context: {a: b}}",
                "sse_config: {type: SSE-C, encryption_key: '" + key + "'}", "{access_key: a, secret_key: b, session_token: c}",
                "http_config: {idle_conn_timeout: 1s, response_header_timeout: 1s, tls_handshake_timeout: 1s, expect_continue_timeout: 1s, "
                        + "max_idle_conns: 1, max_idle_conns_per_host: 1, max_conns_per_host: 1, insecure_skip_verify: true, "
                        + "disable_compression: true, tls_config: {ca_file: '', cert_file: '', key_file: '', server_name: '', "
                        + "insecure_skip_verify: false}}")) {
            String inner = line.startsWith("{") ? line.substring(1, line.length() - 1) : line;
            BucketFactory.open("{type: S3, prefix: p, config: {bucket: b, endpoint: 'minio:9000', " + inner + "}}", Map.of()).close();
        }
    }
}
