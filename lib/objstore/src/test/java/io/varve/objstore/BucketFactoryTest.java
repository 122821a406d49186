package io.varve.objstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.InvalidRequestException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What configurations mean, and which are refused with which words. */
class BucketFactoryTest {
    private static final String S3 = "type: S3\nconfig:\n  bucket: b\n  endpoint: minio:9000\n";

    @TempDir
    Path dir;

    @Test
    void aDirectoryNeedsNothingElse() {
        try (Bucket b = BucketFactory.open("type: filesystem\nconfig:\n  directory: " + dir + "\nprefix: ''\n", Map.of())) {
            assertThat(b).isInstanceOf(FilesystemBucket.class);
            assertThat(b.name()).isEqualTo(dir.toString());
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            type: FILESYSTEM                                                    | "config.directory": missing directory
            type: GCS                                                           | GCS is refused
            type: azure                                                         | azure is refused
            type: FTP                                                           | type FTP is not supported
            config: {}                                                          | "type": missing
            {type: FILESYSTEM, config: {directory: /tmp, dir: x}}               | unknown key "config.dir"
            {type: FILESYSTEM, config: {directory: /tmp}, prefiks: x}           | unknown key "prefiks"
            {type: FILESYSTEM, config: {directory: /tmp}, prefix: a/../b}       | "prefix"
            {type: FILESYSTEM, config: {directory: /tmp}, hedging_config: {x: 1}} | unknown key "hedging_config.x"
            {type: FILESYSTEM, config: {directory: /tmp}, hedging_config: {quantile: 2}} | "hedging_config.quantile"
            [a, b]                                                              | expected a mapping
            "{"                                                                 | expected a mapping
            {type: S3, type: S3}                                                | line 1
            {type: S3, config: {endpoint: x}}                                   | "config.bucket"
            {type: S3, config: {bucket: x}}                                     | "config.endpoint"
            """)
    void unusableConfigurationsNameTheKey(String yaml, String words) {
        assertThatThrownBy(() -> BucketFactory.open(yaml, Map.of())).isInstanceOf(InvalidRequestException.class).hasMessageContaining(words)
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            access_key: x                                   | "config.secret_key": missing
            secret_key: x                                   | "config.access_key": missing
            {aws_sdk_auth: true, access_key: x, secret_key: y} | mutually exclusive
            signature_version2: true                        | "config.signature_version2": refused
            list_objects_version: v3                        | "config.list_objects_version"
            bucket_lookup_type: dns                         | "config.bucket_lookup_type"
            part_size: 1048576                              | "config.part_size"
            insecure: maybe                                 | "config.insecure"
            trace: {enable: true, level: x}                 | unknown key "config.trace.level"
            http_config: {idle_conn_timeout: soon}          | "config.http_config.idle_conn_timeout"
            http_config: {tls_config: {server_name: x}}     | "config.http_config.tls_config.server_name": refused
            http_config: {tls_config: {cert_file: x}}       | "config.http_config.tls_config.key_file": missing
            http_config: {tls_config: {ca_file: /no/such}}  | /no/such
            sse_config: {type: SSE-X}                       | "config.sse_config.type"
            sse_config: {type: SSE-KMS}                     | "config.sse_config.kms_key_id": missing
            sse_config: {type: SSE-C, encryption_key: /no}  | "config.sse_config.encryption_key"
            {insecure: true, sse_config: {type: SSE-C}}     | refused over plain HTTP
            session_token: x                                | "config.session_token": belongs to access_key
            sts_endpoint: 'ftp://x'                         | "config.sts_endpoint": expected https://host
            sts_endpoint: 'a b'                             | "config.sts_endpoint": expected https://host
            max_retries: -1                                 | "config.max_retries"
            http_config: {dial: 1}                          | unknown key "config.http_config.dial"
            """)
    void unusableS3SettingsNameTheKey(String config, String words) {
        String inner = config.startsWith("{") ? config.substring(1, config.length() - 1) : config;
        String yaml = "{type: S3, config: {bucket: b, endpoint: \"minio:9000\", " + inner + "}}";
        assertThatThrownBy(() -> BucketFactory.open(yaml, Map.of())).isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining(words);
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://minio:9000", "minio:9000/bucket", "minio:", "minio:port", "minio:99999", "minio:0", "::1",
            "under_score:9000",
            "user@minio", "mi nio", "minio?x"})
    void anEndpointIsAHost(String endpoint) {
        assertThatThrownBy(() -> parse("{bucket: b, endpoint: \"" + endpoint + "\"}")).isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("config.endpoint");
    }

    @Test
    void thanosDefaultsHold() {
        S3Config c = parse("{bucket: b, endpoint: \"minio:9000\"}");
        assertThat(c.partSizeBytes()).isEqualTo(64L << 20);
        assertThat(c.multipart()).isTrue();
        assertThat(c.contentMd5()).isTrue();
        assertThat(c.pathStyle()).isTrue();
        assertThat(c.listV1()).isFalse();
        assertThat(c.http().idleTimeout()).isEqualTo(Duration.ofSeconds(90));
        assertThat(c.http().responseTimeout()).isEqualTo(Duration.ofMinutes(2));
        assertThat(c.http().connections()).isEqualTo(100);
        assertThat(c.http().verify()).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"s3.amazonaws.com,'',true,false", "s3.eu-west-1.amazonaws.com,eu-west-1,true,false",
            "s3-us-west-2.amazonaws.com,us-west-2,true,false",
            "s3.dualstack.eu-central-1.amazonaws.com,eu-central-1,true,false", "s3.cn-north-1.amazonaws.com.cn,cn-north-1,true,false",
            "minio.local:9000,'',false,true", "oss-eu.aliyuncs.com,'',false,false", "127.0.0.1:9000,'',false,true"})
    void endpointsTellRegionAndStyle(String endpoint, String region, boolean publicAws, boolean pathStyle) {
        S3Config c = parse("{bucket: b, endpoint: \"" + endpoint + "\"}");
        assertThat(c.region()).isEqualTo(region);
        assertThat(c.isPublicAws()).isEqualTo(publicAws);
        assertThat(c.pathStyle()).isEqualTo(pathStyle);
    }

    @Test
    void endpointsHavePorts() {
        assertThat(parse("{bucket: b, endpoint: minio}").port()).isEqualTo(443);
        assertThat(parse("{bucket: b, endpoint: minio, insecure: yes}").port()).isEqualTo(80);
        assertThat(parse("{bucket: b, endpoint: \"[::1]:9000\"}").port()).isEqualTo(9000);
        assertThat(parse("{bucket: b, endpoint: \"[::1]\"}").host()).isEqualTo("[::1]");
        assertThat(parse("{bucket: b, endpoint: x, sts_endpoint: sts.example}").stsEndpoint()).isEqualTo("https://sts.example");
        assertThat(parse("{bucket: b, endpoint: x, sts_endpoint: \"http://sts:8080\"}").stsEndpoint()).isEqualTo("http://sts:8080");
    }

    @Test
    void partsGrowWithTheObject() {
        S3Config c = parse("{bucket: b, endpoint: x, part_size: 5242880}");
        assertThat(c.partSizeFor(1)).isEqualTo(5L << 20);
        long huge = 5L << 40;
        assertThat((huge + c.partSizeFor(huge) - 1) / c.partSizeFor(huge)).isLessThanOrEqualTo(10_000);
    }

    @Test
    void aCustomersKeyHas32Bytes() throws Exception {
        Path key = Files.write(dir.resolve("key"), new byte[31]);
        assertThatThrownBy(() -> parse("{bucket: b, endpoint: x, sse_config: {type: SSE-C, encryption_key: \"" + key + "\"}}"))
                .hasMessageContaining("expected a file of 32 bytes, found 31");
        Files.write(key, new byte[32]);
        assertThat(parse("{bucket: b, endpoint: x, sse_config: {type: SSE-C, encryption_key: \"" + key + "\"}}").encryption())
                .isInstanceOf(S3Config.Encryption.CustomerKey.class);
    }

    @Test
    void openingAsksNothingOfTheStore() {
        try (Bucket b = BucketFactory.open(S3 + "  access_key: a\n  secret_key: s\nprefix: /p/\nhedging_config: {enabled: true}\n",
                Map.of())) {
            assertThat(b.name()).isEqualTo("b");
        }
    }

    @Test
    void proxiesComeFromTheEnvironment() {
        Map<String, String> env = Map.of("HTTPS_PROXY", "http://user:pw@proxy:3128", "http_proxy", "plain:80", "NO_PROXY",
                "internal, .corp.example, 10.0.0.0/8, special:444, *.star.example");
        assertThat(ProxySettings.proxyFor(env, true, "s3.example", 443)).contains(URI.create("http://user:pw@proxy:3128"));
        assertThat(ProxySettings.proxyFor(env, false, "s3.example", 80)).contains(URI.create("http://plain:80"));
        for (String direct : new String[]{"internal", "s3.internal", "s3.corp.example", "10.1.2.3", "localhost", "127.0.0.1",
                "x.star.example"}) {
            assertThat(ProxySettings.proxyFor(env, true, direct, 443)).as(direct).isEmpty();
        }
        assertThat(ProxySettings.proxyFor(env, true, "special", 444)).isEmpty();
        assertThat(ProxySettings.proxyFor(env, true, "special", 443)).isPresent();
        assertThat(ProxySettings.proxyFor(env, true, "corp.example", 443)).isPresent();
        assertThat(ProxySettings.proxyFor(env, true, "11.1.2.3", 443)).isPresent();
        assertThat(ProxySettings.proxyFor(Map.of(), true, "x", 1)).isEmpty();
        assertThat(ProxySettings.proxyFor(env, URI.create("https://special:444"))).as("the port of a URL counts").isEmpty();
        assertThat(ProxySettings.proxyFor(env, URI.create("https://special"))).isPresent();
        assertThat(ProxySettings.proxyFor(env, URI.create("http://s3.example"))).contains(URI.create("http://plain:80"));
    }

    private static S3Config parse(String flow) {
        StrictYaml root = StrictYaml.parse("{config: " + flow + "}");
        StrictYaml section = root.child("config");
        S3Config config = S3Config.parse(section);
        section.done();
        return config;
    }
}
