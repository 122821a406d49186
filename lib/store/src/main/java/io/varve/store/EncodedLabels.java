package io.varve.store;

import io.varve.model.Labels;
import io.varve.model.XxHash64;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A label set as a series frame carries it: for each label, in order, field 1 of Thanos' {@code Series}, a message of name (1) and value (2), what
 * is empty left out and every length as short as it can be, so that equal labels are equal bytes. For stores that have their labels as UTF-8 and
 * never need them as texts. Immutable, safe for many threads.
 */
public final class EncodedLabels implements Comparable<EncodedLabels> {
    /** No labels. */
    public static final EncodedLabels EMPTY = new EncodedLabels(new byte[0]);
    /** Tag of a label in a series and of the name in a label. */
    private static final byte FIRST = 1 << 3 | ProtoReader.BYTES;
    /** Tag of the value in a label. */
    private static final byte SECOND = 2 << 3 | ProtoReader.BYTES;
    /** Tags and lengths of a label take no more. */
    private static final int MOST_AROUND = 3 * (1 + 5);

    private final byte[] data;

    private EncodedLabels(byte[] data) {
        this.data = data;
    }

    /** Labels that are there as texts. */
    public static EncodedLabels of(Labels labels) {
        Builder b = new Builder();
        labels.forEach((name, value) -> b.add(name.getBytes(StandardCharsets.UTF_8), value.getBytes(StandardCharsets.UTF_8)));
        return b.build();
    }

    /** The labels as texts, made anew by each call. */
    public Labels labels() {
        int n = 0;
        Walk walk = new Walk(this);
        while (walk.next()) {
            n++;
        }
        String[] pairs = new String[2 * n];
        walk.start(this);
        for (int i = 0; walk.next(); i += 2) {
            pairs[i] = new String(data, walk.nameAt, walk.nameLength, StandardCharsets.UTF_8);
            pairs[i + 1] = new String(data, walk.valueAt, walk.valueLength, StandardCharsets.UTF_8);
        }
        return Labels.ofSorted(pairs);
    }

    /** How many bytes they are. */
    public int length() {
        return data.length;
    }

    void write(ProtoWriter out) {
        out.raw(data, 0, data.length);
    }

    /** The order of {@link Labels}: by the bytes of name and value, pair by pair; of two where one is the beginning of the other, the shorter first. */
    @Override
    public int compareTo(EncodedLabels other) {
        int differs = Arrays.mismatch(data, other.data);
        if (differs < 0) {
            return 0;
        }
        if (differs == data.length || differs == other.data.length) {
            return data.length - other.data.length;
        }
        // The labels before the one that differs are the same in both.
        Walk a = new Walk(this);
        int at = 0;
        while (a.next() && a.end <= differs) {
            at = a.end;
        }
        Walk b = new Walk(other);
        b.end = at;
        b.next();
        int c = Arrays.compareUnsigned(data, a.nameAt, a.nameAt + a.nameLength, other.data, b.nameAt, b.nameAt + b.nameLength);
        return c != 0
                ? c
                : Arrays.compareUnsigned(data, a.valueAt, a.valueAt + a.valueLength, other.data, b.valueAt, b.valueAt + b.valueLength);
    }

    @Override
    public boolean equals(Object o) {
        return o == this || o instanceof EncodedLabels other && Arrays.equals(data, other.data);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(data);
    }

    @Override
    public String toString() {
        return labels().toString();
    }

    /** Goes over labels, which are slices of an array. One thread. */
    public static final class Walk {
        private byte[] data;
        private int position;
        private int nameAt;
        private int nameLength;
        private int valueAt;
        private int valueLength;
        /** Where the label ends, and the next begins. */
        private int end;

        /** Stands before the first label. */
        public Walk(EncodedLabels labels) {
            data = labels.data;
        }

        /** Stands before the first of other labels. */
        public void start(EncodedLabels labels) {
            data = labels.data;
            end = 0;
        }

        /** Moves to the next label; false where there is none. */
        public boolean next() {
            if (end == data.length) {
                return false;
            }
            position = end + 1;
            int length = varint();
            end = position + length;
            nameAt = position;
            nameLength = 0;
            if (position < end && data[position] == FIRST) {
                position++;
                nameLength = varint();
                nameAt = position;
                position += nameLength;
            }
            valueAt = end;
            valueLength = 0;
            if (position < end) {
                position++;
                valueLength = varint();
                valueAt = position;
            }
            return true;
        }

        private int varint() {
            int b = data[position++];
            int value = b & 0x7F;
            for (int shift = 7; b < 0; shift += 7) {
                b = data[position++];
                value |= (b & 0x7F) << shift;
            }
            return value;
        }

        /** The array the label lies in, not to be changed. */
        public byte[] array() {
            return data;
        }

        /** Where its name begins. */
        public int nameAt() {
            return nameAt;
        }

        /** Bytes of its name. */
        public int nameLength() {
            return nameLength;
        }

        /** Where its value begins. */
        public int valueAt() {
            return valueAt;
        }

        /** Bytes of its value. */
        public int valueLength() {
            return valueLength;
        }
    }

    /** Writes labels one behind the other; they are to be in order. Reused; one thread. */
    public static final class Builder {
        private byte[] data = new byte[512];
        private int size;

        /** Bytes so far, to come back to. */
        public int size() {
            return size;
        }

        /** Forgets what was added since {@link #size} was {@code before}. */
        public void truncate(int before) {
            size = before;
        }

        /** Adds a label of UTF-8 bytes. */
        public void add(byte[] name, byte[] value) {
            int body = field(name.length) + field(value.length);
            int most = Math.addExact(Math.addExact(name.length, value.length), MOST_AROUND);
            if (most > data.length - size) {
                data = Arrays.copyOf(data, Math.max(2 * data.length, Math.addExact(size, most)));
            }
            data[size++] = FIRST;
            varint(body);
            text(FIRST, name);
            text(SECOND, value);
        }

        private static int field(int length) {
            return length == 0 ? 0 : 1 + (38 - Integer.numberOfLeadingZeros(length)) / 7 + length;
        }

        private void text(byte tag, byte[] text) {
            if (text.length > 0) {
                data[size++] = tag;
                varint(text.length);
                System.arraycopy(text, 0, data, size, text.length);
                size += text.length;
            }
        }

        private void varint(int v) {
            int rest = v;
            while (rest > 0x7F) {
                data[size++] = (byte) (rest | 0x80);
                rest >>>= 7;
            }
            data[size++] = (byte) rest;
        }

        /** What was added. */
        public EncodedLabels build() {
            return new EncodedLabels(Arrays.copyOf(data, size));
        }

        /** Whether what was added are these labels. */
        public boolean isSame(EncodedLabels labels) {
            return Arrays.equals(data, 0, size, labels.data, 0, labels.data.length);
        }

        /** A hash of what was added. */
        public long hash() {
            return XxHash64.hash(data, 0, size);
        }
    }
}
