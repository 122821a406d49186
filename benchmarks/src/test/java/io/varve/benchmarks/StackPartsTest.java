package io.varve.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.objstore.BucketFactory;
import io.varve.objstore.BucketReader;
import io.varve.tsdb.BlockVerifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StackPartsTest {
    @TempDir
    Path directory;

    @Test
    void theEndpointAnswersAsS3Does() throws Exception {
        for (int i = 0; i < 1203; i++) {
            Files.writeString(directory.resolve(String.format("key-%04d", i)), "abcdefgh");
        }
        Files.createDirectories(directory.resolve("some/deep"));
        Files.writeString(directory.resolve("some/deep/one"), "1");
        Files.writeString(directory.resolve("some/two"), "");
        try (BucketEndpoint endpoint = new BucketEndpoint(directory, 1); BucketReader bucket = BucketFactory.open(endpoint.yaml())) {
            List<String> top = new ArrayList<>();
            bucket.list("", top::add);
            assertThat(top).hasSize(1204).contains("key-0000", "key-1202", "some/");
            List<String> all = new ArrayList<>();
            bucket.listRecursive("", o -> all.add(o.key()));
            assertThat(all).hasSize(1205).doesNotHaveDuplicates().contains("some/deep/one", "some/two");
            BucketEndpoint.Counts before = endpoint.counts();
            assertThat(bucket.readRange("key-0007", 2, 3)).asString(StandardCharsets.UTF_8).isEqualTo("cde");
            assertThat(bucket.readRange("key-0007", 6, 30)).asString(StandardCharsets.UTF_8).isEqualTo("gh");
            assertThat(bucket.find("key-0007")).hasValueSatisfying(a -> assertThat(a.size()).isEqualTo(8));
            assertThat(bucket.find("key")).isEmpty();
            assertThat(endpoint.counts().since(before)).isEqualTo(new BucketEndpoint.Counts(2, 2, 5));
        }
    }

    @Test
    void blocksAreSound() throws Exception {
        StackData.write(directory, "c0", 3, StackData.PER_POD, StackData.BEGIN, StackData.BEGIN + StackData.SMALL, 30_000);
        try (Stream<Path> blocks = Files.list(directory)) {
            BlockVerifier.Report report = BlockVerifier.verify(blocks.findFirst().orElseThrow());
            assertThat(report.stats().series()).isEqualTo(3L * StackData.PER_POD);
            assertThat(report.stats().samples()).isEqualTo(3L * StackData.PER_POD * 240);
        }
    }
}
