package io.varve.store;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.CodedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ProtoWriterTest {
    @Test
    void writesNumbersOfAnyLengthAsProtobufDoes() throws IOException {
        List<Long> numbers = new ArrayList<>();
        for (int bits = 0; bits <= Long.SIZE; bits++) {
            long power = bits == Long.SIZE ? 0 : 1L << bits;
            Collections.addAll(numbers, power - 1, power, power + 1, -power);
        }
        long seed = 20_261_123;
        Random random = new Random(seed);
        for (int i = 0; i < 10_000; i++) {
            numbers.add(random.nextLong() >>> random.nextInt(Long.SIZE));
        }
        ByteArrayOutputStream expected = new ByteArrayOutputStream();
        CodedOutputStream coded = CodedOutputStream.newInstance(expected);
        for (long n : numbers) {
            coded.writeUInt64NoTag(n);
            coded.writeFixed64NoTag(n);
        }
        coded.flush();
        ProtoWriter out = new ProtoWriter(0);
        for (int i = numbers.size() - 1; i >= 0; i--) {
            out.fixed64(numbers.get(i));
            out.varint(numbers.get(i));
        }
        assertThat(out.toByteArray()).as("seed %s", seed).isEqualTo(expected.toByteArray());
    }

    @Test
    void makesRoomOnce() {
        ProtoWriter out = new ProtoWriter(64);
        out.room(10_000);
        byte[] before = out.array();
        out.raw(new byte[9_000], 0, 9_000);
        out.varint(1L << 40);
        assertThat(out.array()).isSameAs(before);
        assertThat(out.capacity()).isGreaterThanOrEqualTo(10_000);
    }
}
