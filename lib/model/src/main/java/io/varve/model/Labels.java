package io.varve.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiConsumer;

/**
 * A label set: immutable, sorted by name (UTF-8 byte order), names unique. Equality and hash are by content. Safe for many
 * threads.
 *
 * <p>
 * A label with an empty value is the same as no label; the builder drops it. {@link #ofSorted} does not check.
 */
public final class Labels implements Comparable<Labels> {
    /** The name of the label that holds the metric's name. */
    public static final String METRIC_NAME = "__name__";
    /** No labels. */
    public static final Labels EMPTY = new Labels(new String[0]);

    /** name, value, name, value, … */
    private final String[] pairs;
    private int hash;

    private Labels(String[] pairs) {
        this.pairs = pairs;
    }

    /** From alternating names and values in any order; empty values are dropped, the last of equal names wins. */
    public static Labels of(String... namesAndValues) {
        if ((namesAndValues.length & 1) != 0) {
            throw new IllegalArgumentException("labels need a value for each name, got " + namesAndValues.length + " strings");
        }
        Builder b = new Builder(EMPTY);
        for (int i = 0; i < namesAndValues.length; i += 2) {
            b.set(namesAndValues[i], namesAndValues[i + 1]);
        }
        return b.build();
    }

    /** From a map; empty values are dropped. */
    public static Labels of(Map<String, String> map) {
        Builder b = new Builder(EMPTY);
        map.forEach(b::set);
        return b.build();
    }

    /**
     * Takes ownership of {@code namesAndValues}, which must be sorted by name, without duplicates; not checked. For readers of
     * formats that guarantee the order.
     */
    public static Labels ofSorted(String[] namesAndValues) {
        return namesAndValues.length == 0 ? EMPTY : new Labels(namesAndValues);
    }

    /** A builder that starts from these labels. */
    public Builder toBuilder() {
        return new Builder(this);
    }

    /** How many labels there are. */
    public int size() {
        return pairs.length >> 1;
    }

    /** Whether there are none. */
    public boolean isEmpty() {
        return pairs.length == 0;
    }

    /** The name at {@code index}, in order. */
    public String name(int index) {
        return pairs[index << 1];
    }

    /** The value at {@code index}, in order of the names. */
    public String value(int index) {
        return pairs[(index << 1) + 1];
    }

    /** The value of {@code name}, "" where there is none. */
    public String get(String name) {
        int i = indexOf(name);
        return i < 0 ? "" : value(i);
    }

    /** Whether a label of that name is there. */
    public boolean has(String name) {
        return indexOf(name) >= 0;
    }

    /** The place of {@code name}, −1 where there is none. */
    public int indexOf(String name) {
        // Label sets are short: a scan beats a binary search.
        for (int i = 0; i < pairs.length; i += 2) {
            if (pairs[i].equals(name)) {
                return i >> 1;
            }
        }
        return -1;
    }

    /** The metric's name, "" where there is none. */
    public String metricName() {
        return get(METRIC_NAME);
    }

    /** Calls {@code each} with every name and value, in order. */
    public void forEach(BiConsumer<String, String> each) {
        for (int i = 0; i < pairs.length; i += 2) {
            each.accept(pairs[i], pairs[i + 1]);
        }
    }

    /** These labels without those named. */
    public Labels without(Collection<String> names) {
        String[] out = null;
        int o = 0;
        for (int i = 0; i < pairs.length; i += 2) {
            if (names.contains(pairs[i])) {
                if (out == null) {
                    // One of them in most cases.
                    out = new String[pairs.length - 2];
                    System.arraycopy(pairs, 0, out, 0, i);
                    o = i;
                }
            } else if (out != null) {
                out[o++] = pairs[i];
                out[o++] = pairs[i + 1];
            }
        }
        return out == null ? this : ofSorted(o == out.length ? out : Arrays.copyOf(out, o));
    }

    /** Only those of these labels that are named. */
    public Labels only(Collection<String> names) {
        List<String> out = new ArrayList<>();
        for (int i = 0; i < pairs.length; i += 2) {
            if (names.contains(pairs[i])) {
                out.add(pairs[i]);
                out.add(pairs[i + 1]);
            }
        }
        return out.size() == pairs.length ? this : ofSorted(out.toArray(String[]::new));
    }

    /** These labels and {@code others}; where both have a name, {@code others} wins. */
    public Labels overriddenBy(Labels others) {
        if (others.isEmpty()) {
            return this;
        }
        if (isEmpty()) {
            return others;
        }
        String[] a = pairs;
        String[] b = others.pairs;
        String[] out = new String[a.length + b.length];
        int i = 0;
        int j = 0;
        int o = 0;
        while (i < a.length || j < b.length) {
            int c = i >= a.length ? 1 : j >= b.length ? -1 : Utf8Order.compare(a[i], b[j]);
            if (c == 0) {
                i += 2;
            }
            if (c < 0) {
                out[o++] = a[i];
                out[o++] = a[i + 1];
                i += 2;
            } else {
                out[o++] = b[j];
                out[o++] = b[j + 1];
                j += 2;
            }
        }
        return ofSorted(o == out.length ? out : Arrays.copyOf(out, o));
    }

    /** A sorted map of the labels, of the caller. */
    public Map<String, String> toMap() {
        Map<String, String> map = new TreeMap<>(Utf8Order::compare);
        forEach(map::put);
        return map;
    }

    /** Prometheus' order: pair by pair, name then value, by UTF-8 bytes; of two where one is a prefix, the shorter first. */
    @Override
    public int compareTo(Labels other) {
        String[] a = pairs;
        String[] b = other.pairs;
        int n = Math.min(a.length, b.length);
        for (int i = 0; i < n; i++) {
            // Equal texts are often one object, and where they are not it is quicker to see that they are equal than to find their order.
            if (a[i] != b[i] && !a[i].equals(b[i])) {
                return Utf8Order.compare(a[i], b[i]);
            }
        }
        return a.length - b.length;
    }

    @Override
    public boolean equals(Object o) {
        return o == this || o instanceof Labels other && Arrays.equals(pairs, other.pairs);
    }

    @Override
    public int hashCode() {
        int h = hash;
        if (h == 0) {
            h = Arrays.hashCode(pairs);
            hash = h;
        }
        return h;
    }

    /** Prometheus' form: {@code {a="b", c="d"}}, names quoted where they are not legacy names. */
    @Override
    public String toString() {
        StringBuilder sb = new StringBuilder("{");
        for (int i = 0; i < pairs.length; i += 2) {
            if (i > 0) {
                sb.append(", ");
            }
            if (LabelNames.isLegacy(pairs[i])) {
                sb.append(pairs[i]);
            } else {
                GoQuote.append(sb, pairs[i]);
            }
            sb.append('=');
            GoQuote.append(sb, pairs[i + 1]);
        }
        return sb.append('}').toString();
    }

    /** Collects labels in any order. One thread. */
    public static final class Builder {
        private final TreeMap<String, String> map = new TreeMap<>(Utf8Order::compare);

        /** An empty builder. */
        public Builder() {
            this(EMPTY);
        }

        Builder(Labels from) {
            from.forEach(map::put);
        }

        /** Sets a label; an empty value removes it. */
        public Builder set(String name, String value) {
            if (value.isEmpty()) {
                map.remove(name);
            } else {
                map.put(name, value);
            }
            return this;
        }

        /** Removes a label. */
        public Builder remove(String name) {
            map.remove(name);
            return this;
        }

        /** The labels collected so far. */
        public Labels build() {
            String[] out = new String[map.size() * 2];
            int o = 0;
            for (Map.Entry<String, String> e : map.entrySet()) {
                out[o++] = e.getKey();
                out[o++] = e.getValue();
            }
            return ofSorted(out);
        }
    }
}
