package io.varve.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.testkit.Seeds;
import io.varve.testkit.Shared;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class LabelHashTest {
    @Test
    void hashesAreThoseOfPrometheus() {
        Path file = Shared.golden("json-format.jsonl.gz").orElse(null);
        assumeTrue(file != null);
        int n = 0;
        try (Stream<JsonNode> lines = Shared.jsonLines(file)) {
            for (JsonNode line : (Iterable<JsonNode>) lines::iterator) {
                // Text that is not UTF-8 has no place in a label set here.
                if (line.get("kind").textValue().equals("labels") && !line.toString().contains("\"hex\"")) {
                    Labels labels = labels(line.get("pairs"));
                    assertThat(Long.toUnsignedString(LabelHash.stringLabels(labels))).as(labels.toString())
                            .isEqualTo(line.get("hash").textValue());
                    assertThat(Long.toUnsignedString(LabelHash.stable(labels))).as(labels.toString())
                            .isEqualTo(line.get("stable_hash").textValue());
                    n++;
                }
            }
        }
        assertThat(n).isPositive();
    }

    private static Labels labels(JsonNode pairs) {
        List<String> out = new ArrayList<>();
        pairs.forEach(p -> {
            out.add(Shared.text(p.get(0)));
            out.add(Shared.text(p.get(1)));
        });
        return Labels.ofSorted(out.toArray(String[]::new));
    }

    @Test
    void bytesAreUtf8WhateverTheTextAndItsLength() {
        Seeds.forEach(300, random -> {
            StringBuilder text = new StringBuilder();
            int n = random.nextInt(10) == 0 ? 240 + random.nextInt(30) : random.nextInt(40);
            for (int i = 0; i < n; i++) {
                text.appendCodePoint(switch (random.nextInt(5)) {
                    case 0 -> 0x80 + random.nextInt(0x780);
                    case 1 -> 0x800 + random.nextInt(0x5000);
                    case 2 -> 0x10000 + random.nextInt(0x10000);
                    default -> 1 + random.nextInt(0x7E);
                });
            }
            String s = text.toString();
            byte[] bytes = s.getBytes(StandardCharsets.UTF_8);
            ByteArrayOutputStream stable = new ByteArrayOutputStream();
            stable.write('x');
            stable.write(0xFF);
            stable.writeBytes(bytes);
            stable.write(0xFF);
            ByteArrayOutputStream prefixed = new ByteArrayOutputStream();
            prefixed.write(1);
            prefixed.write('x');
            if (bytes.length < 255) {
                prefixed.write(bytes.length);
            } else {
                prefixed.writeBytes(new byte[]{(byte) 0xFF, (byte) bytes.length, (byte) (bytes.length >> 8), 0});
            }
            prefixed.writeBytes(bytes);
            Labels labels = Labels.ofSorted(new String[]{"x", s});
            assertThat(LabelHash.stable(labels)).isEqualTo(XxHash64.hash(stable.toByteArray()));
            assertThat(LabelHash.stringLabels(labels)).isEqualTo(XxHash64.hash(prefixed.toByteArray()));
        });
    }
}
