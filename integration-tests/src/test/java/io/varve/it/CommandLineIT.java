package io.varve.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a person sees who gets a command line wrong: one clear line and exit 1, never a stack trace. */
final class CommandLineIT {
    @TempDir
    Path dir;

    @ParameterizedTest
    @ValueSource(strings = {"sidecar", "store", "query", "compact"})
    void unknownFlagIsAnErrorThatNamesIt(String process) throws IOException, InterruptedException {
        Machine.Outcome outcome = Machine.varve(process, "--no-such-flag=1");
        assertThat(outcome.code()).isEqualTo(1);
        assertThat(outcome.out()).contains("no-such-flag").doesNotContain("\tat ").hasLineCount(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sidecar", "store", "query", "compact"})
    void helpNamesEveryFlag(String process) throws IOException, InterruptedException {
        Machine.Outcome outcome = Machine.varve(process, "--help");
        assertThat(outcome.code()).isZero();
        assertThat(outcome.out()).contains("--log.level", "--http-address");
    }

    @ParameterizedTest
    @ValueSource(strings = {"sidecar", "store", "compact"})
    void badBucketIsAnErrorThatNamesTheKey(String process) throws IOException, InterruptedException {
        Path yaml = Files.writeString(dir.resolve("bucket.yaml"), "type: FILESYSTEM\nconfig:\n  directori: /tmp\n");
        Machine.Outcome outcome = Machine.varve(process, "--objstore.config-file=" + yaml, "--http-address=127.0.0.1:0");
        assertThat(outcome.code()).isEqualTo(1);
        assertThat(outcome.out()).contains("directori").doesNotContain("\tat ");
    }

    @Test
    void hangUpEndsNoProcess() throws Exception {
        Path log = dir.resolve("query.log");
        Process p = new ProcessBuilder(Machine.home().resolve("bin/varve").toString(), "query", "--http-address=127.0.0.1:0",
                "--grpc-address=127.0.0.1:0", "--query.warm-up=0s").redirectErrorStream(true).redirectOutput(log.toFile()).start();
        try {
            long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
            while (!Files.readString(log).contains("listening for gRPC")) {
                assertThat(p.isAlive() && System.nanoTime() < end).as(Files.readString(log)).isTrue();
                Thread.sleep(50);
            }
            assertThat(new ProcessBuilder("kill", "-HUP", Long.toString(p.pid())).start().waitFor()).isZero();
            assertThat(p.waitFor(2, TimeUnit.SECONDS)).as("a process that SIGHUP ended").isFalse();
            p.destroy();
            assertThat(p.waitFor(1, TimeUnit.MINUTES)).isTrue();
            assertThat(p.exitValue()).isZero();
        } finally {
            p.destroyForcibly();
        }
    }
}
