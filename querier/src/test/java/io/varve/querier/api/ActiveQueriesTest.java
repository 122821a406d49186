package io.varve.querier.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.testkit.Shared;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The file of running queries, as it is found after a process has died. */
class ActiveQueriesTest {
    @TempDir
    Path dir;

    private Path file() {
        return dir.resolve("queries.active");
    }

    @Test
    void whatRanWhenTheProcessDiedIsLeftAndNothingElse() throws Exception {
        ActiveQueries before = new ActiveQueries(dir.toString(), 4);
        ActiveQueries.Entry ended = before.enter("up", 1_000);
        before.enter("sum(rate(x{code=~\"5..\"}[5m]))", 2_000);
        before.enter("\u00e9\n{", 3_000);
        ended.close();
        before.close(); // queries that have not ended stay in the file
        List<String> left = ActiveQueries.left(file());
        assertThat(left).containsExactly("{\"query\":\"sum(rate(x{code=~\\\"5..\\\"}[5m]))\",\"timestamp_sec\":2}",
                "{\"query\":\"\u00e9\\n{\",\"timestamp_sec\":3}");
        new ActiveQueries(dir.toString(), 4).close();
        assertThat(ActiveQueries.left(file())).isEmpty();
        assertThat(Files.size(file())).isEqualTo(4001);
    }

    @Test
    void anEntryFitsWhateverTheQueryHolds() throws Exception {
        for (String part : List.of("x", "\u0001", "\u20ac", "\ud83d\ude00")) {
            ActiveQueries all = new ActiveQueries(dir.toString(), 2);
            all.enter(part.repeat(5_000), 1_000);
            all.enter("up", 1_000);
            all.enter("one too many is not noted", 1_000).close();
            List<String> left = ActiveQueries.left(file());
            assertThat(left).hasSize(2);
            JsonNode entry = Shared.parse(left.getFirst());
            String query = entry.get("query").asText();
            assertThat(query).endsWith("...").startsWith(part.repeat(50));
            assertThat(query.substring(0, query.length() - 3).replace(part, "")).isEmpty();
            all.close();
        }
    }

    @Test
    void aFileOfAnotherKindIsNoReasonNotToStart() throws Exception {
        Files.writeString(file(), "[\n]");
        new ActiveQueries(dir.toString(), 2).close();
        Files.write(file(), new byte[0]);
        new ActiveQueries(dir.toString(), 2).close();
        assertThat(Files.size(file())).isEqualTo(2001);
    }
}
