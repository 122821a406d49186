package io.varve.tsdb;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.Labels;
import io.varve.testkit.Shared;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Where the golden blocks are and what they must read as. */
final class GoldenBlocks {
    /**
     * A block.
     *
     * @param name for messages
     * @param directory of the block
     * @param expected its series
     */
    record Case(String name, Path directory, Path expected) {
        @Override
        public String toString() {
            return name;
        }
    }

    private GoldenBlocks() {
    }

    /** All sound blocks; none where the shared data are absent. */
    static List<Case> all() {
        Path root = Shared.golden("blocks").orElse(null);
        List<Case> out = new ArrayList<>();
        if (root == null) {
            return out;
        }
        for (Path folder : list(root)) {
            if (!Files.isDirectory(folder)) {
                continue;
            }
            for (Path kind : list(folder)) {
                if (Files.isDirectory(kind)) {
                    String k = kind.getFileName().toString();
                    String suffix = k.equals("block") ? "" : "-" + k.replace("block-", "");
                    out.add(new Case(folder.getFileName() + "/" + k, list(kind).getFirst(),
                            folder.resolve("expected" + suffix + ".jsonl.gz")));
                }
            }
        }
        return out;
    }

    static Case get(String name) {
        return all().stream().filter(c -> c.name.equals(name)).findFirst().orElseThrow();
    }

    static List<Path> list(Path directory) {
        try (Stream<Path> s = Files.list(directory)) {
            return s.sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Labels labels(JsonNode pairs) {
        Labels.Builder b = new Labels.Builder();
        for (JsonNode p : pairs) {
            b.set(Shared.text(p.get(0)), Shared.text(p.get(1)));
        }
        return b.build();
    }
}
