package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.varve.runtime.ProcessRunner;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.FlagParser;
import io.varve.runtime.flags.GlobalFlags;
import io.varve.testkit.Shared;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** The flags of Thanos' own command line, one by one. */
class StoreFlagsTest {
    /** Kingpin's own, for shells and manual pages. */
    private static final Set<String> OF_KINGPIN = Set.of("help-long", "help-man", "completion-bash", "completion-script-bash",
            "completion-script-zsh");

    @Test
    void aTimeThatBeginsAfterItsEndIsRefused() {
        for (String[] times : new String[][]{{"-3d12h", "-1w"}, {"2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"}, {"0s", "-1ms"}}) {
            assertThatThrownBy(() -> ProcessRunner.launch(new StoreCommand(), "--objstore.config=type: FILESYSTEM",
                    "--min-time=" + times[0], "--max-time=" + times[1])).isInstanceOf(FlagException.class)
                    .hasMessageMatching("invalid argument: --min-time '.*Z' can't be greater than --max-time '.*Z'");
        }
    }

    @ParameterizedTest
    @CsvSource({"--sync-block-duration=0s, --sync-block-duration must be at least 1ms",
            "--sync-block-duration=-1s, --sync-block-duration must be at least 1ms",
            "--store.grpc.series-max-concurrency=-1, max concurrency value cannot be lower than 0 (got -1)"})
    void whatWouldTurnInCirclesOrMeansNothingIsRefused(String flag, String why) {
        assertThatThrownBy(() -> ProcessRunner.launch(new StoreCommand(), "--objstore.config=type: FILESYSTEM", flag))
                .isInstanceOf(FlagException.class).hasMessageContaining(why);
    }

    @Test
    void hasEveryFlagOfThanosWithItsDefault() throws Exception {
        CommandLine line = FlagParser.of("varve store", new StoreCommand(), new GlobalFlags());
        for (String file : new String[]{"store", "global"}) {
            Optional<Path> golden = Shared.golden("thanos/flags/" + file + ".json");
            if (golden.isEmpty()) {
                return;
            }
            for (JsonNode flag : new ObjectMapper().readTree(Files.readAllBytes(golden.get())).get("flags")) {
                String name = flag.get("name").asText();
                if (OF_KINGPIN.contains(name)) {
                    continue;
                }
                OptionSpec option = line.getCommandSpec().findOption("--" + name);
                assertThat(option).as(name).isNotNull();
                assertThat(Collection.class.isAssignableFrom(option.type())).as(name).isEqualTo(flag.get("repeatable").asBoolean());
                assertThat(option.hidden()).as(name).isEqualTo(flag.get("hidden").asBoolean());
                String want = flag.get("default").isEmpty() ? "" : flag.get("default").get(0).asText();
                if (!option.usageHelp() && !option.versionHelp()) {
                    assertThat(option.defaultValue() == null ? "" : option.defaultValue()).as(name).isEqualTo(want);
                }
            }
        }
    }
}
