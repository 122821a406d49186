package io.varve.runtime.flags;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.runtime.ProcessCommand;
import io.varve.runtime.ProcessContext;
import io.varve.runtime.ProcessRunner;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

class FlagParserTest {
    @Command(name = "probe", description = "A command for tests.")
    static final class Probe implements ProcessCommand {
        @Mixin
        HttpFlags http = new HttpFlags();
        @Mixin
        GrpcFlags grpc = new GrpcFlags();
        @Mixin
        ObjstoreFlags objstore = new ObjstoreFlags();
        @Mixin
        ReqlogFlags reqlog = new ReqlogFlags();
        @Option(names = "--web.disable-cors", defaultValue = "false")
        boolean disableCors;
        @Option(names = "--query.partial-response", defaultValue = "true")
        boolean partialResponse = true;
        @Option(names = "--wait", defaultValue = "false")
        boolean await;
        @Option(names = "--label")
        List<String> labels = new ArrayList<>();
        @Option(names = "--index-cache-size", converter = ByteSize.class, defaultValue = "250MB")
        long cache;
        @Option(names = "--min-time", converter = TimeOrDuration.Converter.class, defaultValue = "0000-01-01T00:00:00Z")
        TimeOrDuration minTime = new TimeOrDuration(0, null);

        @Override
        public String component() {
            return "probe";
        }

        @Override
        public AutoCloseable launch(ProcessContext context) {
            http.check();
            grpc.check();
            reqlog.check();
            context.startHttp(http, io.varve.runtime.http.Routes.none());
            return () -> {
            };
        }
    }

    private static Probe parse(String... args) {
        Probe p = new Probe();
        FlagParser.of("varve probe", p, new GlobalFlags()).parseArgs(args);
        return p;
    }

    private static String complaint(String... args) {
        StringWriter err = new StringWriter();
        StringWriter out = new StringWriter();
        int code = ProcessRunner.run("varve probe", new Probe(), new PrintWriter(out), new PrintWriter(err), args);
        assertThat(code).isEqualTo(1);
        return err.toString().strip();
    }

    @Test
    void readsKingpinsSpellings() {
        Probe p = parse("--web.disable-cors", "--no-query.partial-response", "--label", "a=\"b\"", "--label=c=\"d, e\"",
                "--http-address=:1", "--grpc-address", "[::1]:2", "--min-time=-2h");
        assertThat(p.disableCors).isTrue();
        assertThat(p.partialResponse).isFalse();
        assertThat(p.labels).containsExactly("a=\"b\"", "c=\"d, e\"");
        assertThat(p.http.address()).isEqualTo(":1");
        assertThat(p.grpc.address()).isEqualTo("[::1]:2");
        assertThat(p.minTime.millis(10_000_000)).isEqualTo(10_000_000 - 7_200_000);
    }

    @Test
    void keepsDefaults() {
        Probe p = parse();
        assertThat(p.disableCors).isFalse();
        assertThat(p.partialResponse).isTrue();
        assertThat(p.await).isFalse();
        assertThat(p.cache).isEqualTo(250L << 20);
        assertThat(p.http.gracePeriod()).isEqualTo(Duration.ofMinutes(2));
        assertThat(p.grpc.maxConnectionAge()).isEqualTo(Duration.ofMinutes(60));
        assertThat(p.minTime.millis(0)).isEqualTo(-62167219200000L);
    }

    @Test
    void booleansTakeAnExplicitValueAndTheirOwnName() {
        assertThat(parse("--query.partial-response").partialResponse).isTrue();
        assertThat(parse("--query.partial-response=false").partialResponse).isFalse();
        assertThat(parse("--no-web.disable-cors").disableCors).isFalse();
        assertThat(parse("--no-wait").await).isFalse();
    }

    @Test
    void takesAValueOverSeveralLines() {
        assertThat(parse("--objstore.config=type: FILESYSTEM\nconfig:\n  directory: /x\n").objstore.config().read())
                .contains("type: FILESYSTEM\nconfig:\n  directory: /x\n");
    }

    @Test
    void complainsInKingpinsWords() {
        assertThat(complaint("--foo=bar")).isEqualTo("varve probe: error: unknown long flag '--foo', try --help");
        assertThat(complaint("-x")).isEqualTo("varve probe: error: unknown short flag '-x', try --help");
        assertThat(complaint("what")).isEqualTo("varve probe: error: unexpected what, try --help");
        assertThat(complaint("--http-address")).isEqualTo("varve probe: error: expected argument for flag '--http-address', try --help");
        assertThat(complaint("--http-address=:1", "--http-address=:2"))
                .isEqualTo("varve probe: error: flag 'http-address' cannot be repeated, try --help");
        assertThat(complaint("--log.level=loud")).isEqualTo("varve probe: error: invalid value for flag --log.level: "
                + "enum value must be one of error,warn,info,debug, got 'loud', try --help");
        assertThat(complaint("--grpc-grace-period=1d")).contains("flag --grpc-grace-period: time: unknown unit \"d\" in duration \"1d\"");
        assertThat(complaint("--index-cache-size=lots")).contains("flag --index-cache-size: units: invalid lots");
        assertThat(complaint("@file")).contains("unexpected @file");
    }

    @Test
    void refusesByNameWhatItCannotDo() {
        assertThat(complaint("--tracing.config=type: OTLP")).contains("flag --tracing.config is not supported: this build has no tracing");
        assertThatThrownBy(() -> ProcessRunner.launch(new Probe(), "--http.config=x")).isInstanceOf(FlagException.class)
                .hasMessageContaining("--http.config is not supported");
        assertThatThrownBy(() -> ProcessRunner.launch(new Probe(), "--grpc-server-tls-cert=x")).hasMessageContaining("TLS");
        assertThatThrownBy(() -> ProcessRunner.launch(new Probe(), "--request.logging-config=x")).hasMessageContaining("request logging");
    }

    @Test
    void helpAndVersionEndWithZero() {
        StringWriter out = new StringWriter();
        assertThat(ProcessRunner.run("varve probe", new Probe(), new PrintWriter(out), new PrintWriter(out), "--help")).isZero();
        assertThat(out.toString()).contains("--[no-]web.disable-cors", "--grpc-address=<host:port>", "Usage: varve probe").doesNotContain(
                "--debug.name");
        out = new StringWriter();
        assertThat(ProcessRunner.run("varve probe", new Probe(), new PrintWriter(out), new PrintWriter(out), "--version")).isZero();
        assertThat(out.toString()).startsWith("varve, version ");
    }

    @Test
    void fileAndContentExcludeEachOther() {
        assertThatThrownBy(() -> parse("--objstore.config=a: b", "--objstore.config-file=/x").objstore.config().read())
                .hasMessage("both objstore.config-file and objstore.config flags set.");
        assertThatThrownBy(() -> parse("--objstore.config-file=/does/not/exist").objstore.config().read())
                .hasMessageContaining("/does/not/exist");
        assertThatThrownBy(() -> parse().objstore.config().require()).hasMessageContaining("is required");
    }

    @Test
    void replacesVariables() {
        assertThat(PathOrContent.expand("a: $(X)$(Y), ${X} $X", v -> v.equals("X") ? "1$2" : "y")).isEqualTo("a: 1$2y, ${X} $X");
        assertThatThrownBy(() -> PathOrContent.expand("$(NOPE)", v -> null))
                .hasMessage("found reference to unset environment variable \"NOPE\"");
    }

    @ParameterizedTest
    @CsvSource({"1h30m,5400000", "1.5h,5400000", "100ms,100", "0,0", "-1s,-1000", "1h0.5s,3600500"})
    void readsGoDurations(String text, long millis) {
        assertThat(Durations.parseGo(text)).isEqualTo(Duration.ofMillis(millis));
    }

    @ParameterizedTest
    @CsvSource({"0,0s", "1,1ns", "1500,1.5µs", "300000000,300ms", "999999999,999.999999ms", "1500000000,1.5s", "120000000000,2m0s",
            "3600500000000,1h0m0.5s"})
    void writesGoDurations(long nanos, String text) {
        assertThat(Durations.formatGo(Duration.ofNanos(nanos))).isEqualTo(text);
        assertThat(Durations.parseGo(text)).isEqualTo(Duration.ofNanos(nanos));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "1", "h", "1d", "1x", ".", "-", "1h-1m", "999999999999h"})
    void refusesWhatIsNoGoDuration(String text) {
        assertThatThrownBy(() -> Durations.parseGo(text)).isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @CsvSource({"1y,31536000000", "2w,1209600000", "1d12h,129600000", "5m,300000", "1m30s,90000", "10ms,10", "0,0", "0s,0"})
    void readsPrometheusDurations(String text, long millis) {
        assertThat(Durations.parsePrometheus(text)).isEqualTo(Duration.ofMillis(millis));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "1", "1h1d", "1s1s", "-1h", "1.5h", "h", "99999999999y", "99999999999999999999h"})
    void refusesWhatIsNoPrometheusDuration(String text) {
        assertThatThrownBy(() -> Durations.parsePrometheus(text)).isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @CsvSource({"250MB,262144000", "1GiB,1073741824", "0,0", "10B,10", "1.5KB,1536", "1K,1024", "10,10"})
    void readsSizes(String text, long bytes) {
        assertThat(ByteSize.parse(text)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "1ZB", "-1MB", "1..2MB", "100000000TB"})
    void refusesWhatIsNoSize(String text) {
        assertThatThrownBy(() -> ByteSize.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }

    record Config(String type, int number) {
    }

    @Test
    void yamlIsStrict() {
        assertThat(Yaml.read("type: a\nnumber: 3\n", Config.class, "--x")).isEqualTo(new Config("a", 3));
        assertThatThrownBy(() -> Yaml.read("type: a\nnunber: 3\n", Config.class, "--x")).hasMessage(
                "parsing --x: yaml: field nunber not known");
        assertThatThrownBy(() -> Yaml.read("type: a\ntype: b\n", Config.class, "--x")).isInstanceOf(FlagException.class);
        assertThatThrownBy(() -> Yaml.read("type: [", Config.class, "--x")).isInstanceOf(FlagException.class)
                .message().doesNotContain("\n");
        assertThatThrownBy(() -> Yaml.read("", Config.class, "--x")).isInstanceOf(FlagException.class);
    }
}
