package io.varve.querier;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.runtime.ProcessRunner;
import io.varve.runtime.flags.FlagException;
import io.varve.testkit.Shared;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every flag of Thanos' querier: it works, or it is refused by name. */
class QueryFlagsTest {
    /** What this build cannot do; the value that is refused. */
    private static final Map<String, String> REFUSED = Map.ofEntries(Map.entry("grpc-client-tls-secure", ""),
            Map.entry("grpc-client-tls-skip-verify", ""), Map.entry("grpc-client-tls-cert", "x"), Map.entry("grpc-client-tls-key", "x"),
            Map.entry("grpc-client-tls-ca", "x"), Map.entry("grpc-client-server-name", "x"), Map.entry("endpoint.sd-config-file", "x"),
            Map.entry("endpoint.sd-config", "x"), Map.entry("store.sd-files", "x"), Map.entry("query.partition-label", "x"),
            Map.entry("query.distributed-with-overlapping-interval", ""), Map.entry("query.enable-x-functions", ""),
            Map.entry("query.tenant-certificate-field", "commonName"), Map.entry("inject-test-addresses", "x"),
            Map.entry("query.mode", "distributed"), Map.entry("request.logging-config", "x"), Map.entry("request.logging-config-file", "x"),
            Map.entry("http.config", "x"), Map.entry("grpc-server-tls-cert", "x"), Map.entry("grpc-server-tls-key", "x"),
            Map.entry("grpc-server-tls-client-ca", "x"), Map.entry("grpc-server-tls-ciphers", "x"),
            Map.entry("grpc-server-tls-curves", "x"));
    /** Values that need to be of a form. */
    private static final Map<String, String> VALUES = Map.of("http-address", "127.0.0.1:0", "grpc-address", "127.0.0.1:0",
            "selector-label", "view=\"x\"", "endpoint", "127.0.0.1:1", "endpoint-strict", "127.0.0.1:2", "endpoint-group",
            "127.0.0.1:3", "endpoint-group-strict", "127.0.0.1:4", "selector.relabel-config", "[]", "enable-feature",
            "promql-experimental-functions", "alert.query-url", "http://example.com");

    @TempDir
    Path dir;

    @Test
    void everyFlagWorksOrIsRefusedByName() throws Exception {
        Optional<Path> golden = Shared.golden("thanos/flags/query.json");
        if (golden.isEmpty()) {
            return;
        }
        List<String> accepted = new ArrayList<>();
        for (JsonNode f : Shared.json(golden.get()).get("flags")) {
            String name = f.get("name").asText();
            String refused = REFUSED.get(name);
            if (refused != null) {
                assertThatThrownBy(
                        () -> ProcessRunner.launch(new QueryCommand(), "--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0",
                                "--" + name + (refused.isEmpty() ? "" : "=" + refused)))
                        .as(name).isInstanceOf(FlagException.class)
                        .hasMessageContaining(name);
            } else if (!Set.of("selector.relabel-config-file").contains(name)) { // one or the other
                accepted.add(flag(f, name));
            }
        }
        try (ProcessRunner.Running r = ProcessRunner.launch(new QueryCommand(), accepted.toArray(String[]::new))) {
            assertThat(r.context().httpAddress()).isNotEmpty();
        }
        assertThat(accepted).hasSizeGreaterThan(50);
    }

    private String flag(JsonNode f, String name) {
        String type = f.get("type").asText();
        String value = VALUES.containsKey(name)
                ? VALUES.get(name)
                : name.equals("query.active-query-path") ? dir.toString() : switch (type) {
                    case "bool" -> "";
                    case "go_duration", "prometheus_duration" -> "7s";
                    case "int", "uint64" -> "7";
                    case "enum", "enums" -> f.get("enum").get(0).asText();
                    default ->
                        f.get("default").isEmpty() || f.get("default").get(0).asText().isEmpty() ? "x" : f.get("default").get(0).asText();
                };
        return value.isEmpty() ? "--" + name : "--" + name + "=" + value;
    }

    @Test
    void valuesThatMakeNoSenseAreRefusedByName() {
        for (String flag : List.of("--query.max-concurrent=0", "--query.max-concurrent-select=0", "--query.timeout=0s",
                "--query.default-step=0s", "--query.default-evaluation-interval=0s", "--endpoint=nonsense", "--deduplication.func=x",
                "--selector-label=x", "--selector-label=x=y", "--selector-label=x=\"y\"z\"", "--selector-label==\"y\"",
                "--endpoint-strict=dns+x:1", "--query.promql-engine=x", "--enable-feature=no-such-feature",
                "--grpc-compression=gzip")) {
            assertThatThrownBy(
                    () -> ProcessRunner.launch(new QueryCommand(), "--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0", flag))
                    .as(flag)
                    .hasMessageContaining(flag.substring(2).split("=", -1)[0].replace("selector-label", "selector label"));
        }
    }
}
