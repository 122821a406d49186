package io.varve.chunk;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.StringJoiner;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The examples of docs/format/chunks.md say what the code does. */
class DocumentedExamplesTest {
    private static final Pattern EXAMPLE = Pattern.compile("```chunk (\\w+)\\n(.*?)```\\s+```samples\\n(.*?)```", Pattern.DOTALL);
    private static final Pattern BITS = Pattern.compile("```bits\\n(.*?)```", Pattern.DOTALL);

    private static String document() throws IOException {
        Path root = Path.of(System.getProperty("varve.root", "../.."));
        return Files.readString(root.resolve("docs/format/chunks.md"));
    }

    @Test
    void chunksReadAsTheDocumentSays() throws IOException {
        Matcher m = EXAMPLE.matcher(document());
        int examples = 0;
        while (m.find()) {
            byte[] data = HexFormat.of().parseHex(m.group(2).replaceAll("\\s", ""));
            SampleBuffer b = new SampleBuffer(8);
            ChunkDecoder.decode(Encoding.valueOf(m.group(1)), data, 0, data.length, b);
            StringBuilder text = new StringBuilder();
            for (int i = 0; i < b.size; i++) {
                StringJoiner line = new StringJoiner(" ", "", "\n").add(Long.toString(b.timestamps[i]));
                FloatHistogram h = b.histogram(i);
                if (h == null) {
                    line.add(Double.toString(b.values[i]));
                    if (b.startTimestamps != null) {
                        line.add(Long.toString(b.startTimestamps[i]));
                    }
                } else {
                    line.add(Double.toString(h.count())).add(Double.toString(h.sum()));
                    for (double c : h.positiveBuckets()) {
                        line.add(Double.toString(c));
                    }
                }
                text.append(line);
            }
            assertThat(text.toString()).isEqualTo(m.group(3));
            examples++;
        }
        assertThat(examples).isEqualTo(3);
    }

    @Test
    void bitsAreThoseOfTheFirstExample() throws IOException {
        String document = document();
        Matcher example = EXAMPLE.matcher(document);
        Matcher m = BITS.matcher(document);
        assertThat(example.find() && m.find()).isTrue();
        byte[] data = HexFormat.of().parseHex(example.group(2).replaceAll("\\s", ""));
        StringBuilder bits = new StringBuilder();
        for (int i = 2; i < data.length; i++) {
            bits.append(Integer.toBinaryString(data[i] & 0xFF | 0x100).substring(1));
        }
        StringBuilder told = new StringBuilder();
        for (String line : m.group(1).split("\n")) {
            told.append(line.split(" {3,}")[0].replace(" ", ""));
        }
        assertThat(told.toString()).isEqualTo(bits.toString());
    }
}
