package io.varve.storegateway;

import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.store.EncodedLabels;
import io.varve.tsdb.index.SeriesEntry;
import io.varve.tsdb.index.Symbols;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Labels of one block's series as they are answered: without what is dropped and with the block's own, which win. No text is made: symbols are
 * numbered in byte order, so numbers compare as the texts do, and labels are encoded from the symbols' bytes. The block's own labels have
 * numbers at or between those of the symbols. One thread.
 */
final class AnsweredLabels {
    /** Symbols whose bytes are kept at most; a power of two. */
    private static final int MOST_KEPT = 8192;
    /** The same of few series. */
    private static final int FEW_KEPT = 64;
    private static final int[] NO_SYMBOLS = {};

    private final Symbols symbols;
    private final int[] externalNames;
    private final int[] externalValues;
    private final byte[][] externalUtf8;
    private final int[] dropped;
    /** Bytes of the symbols that were looked up last, by their references. */
    private final int[] keptReferences;
    private final byte[][] kept;

    /** Numbers of the answered labels of the series, name and value by turns. */
    private int[] numbers = new int[64];
    private int size;
    /** The same of the series before. */
    private int[] before = new int[64];
    private int sizeBefore;
    /** What is encoded; of the series before, until the next one is encoded. */
    private final EncodedLabels.Builder encoded = new EncodedLabels.Builder();
    /** Where each label ends in {@link #encoded}. */
    private int[] ends = new int[32];
    private boolean isEncoded;
    private boolean isBeforeEncoded;
    private int[] sortedNames = NO_SYMBOLS;
    private int[] sortedValues = NO_SYMBOLS;

    /**
     * @param external the block's labels without those that are dropped
     * @param drop names of labels that are not answered
     * @param series about how many series there will be
     */
    AnsweredLabels(Symbols symbols, Labels external, List<String> drop, int series) {
        this.symbols = symbols;
        this.externalNames = new int[external.size()];
        this.externalValues = new int[external.size()];
        this.externalUtf8 = new byte[2 * external.size()][];
        for (int i = 0; i < external.size(); i++) {
            externalNames[i] = (int) symbols.place(external.name(i));
            externalValues[i] = (int) symbols.place(external.value(i));
            externalUtf8[2 * i] = external.name(i).getBytes(StandardCharsets.UTF_8);
            externalUtf8[2 * i + 1] = external.value(i).getBytes(StandardCharsets.UTF_8);
        }
        this.dropped = drop.stream().mapToLong(symbols::find).filter(r -> r >= 0).mapToInt(r -> (int) r).toArray();
        int room = Integer.highestOneBit(Math.clamp(series / 4, FEW_KEPT, MOST_KEPT));
        this.keptReferences = new int[room];
        this.kept = new byte[room][];
    }

    /** Takes a series; what is asked from here on is about it. */
    void load(SeriesEntry e) {
        int[] other = before;
        before = numbers;
        sizeBefore = size;
        numbers = other;
        isBeforeEncoded = isEncoded;
        isEncoded = false;
        int need = 2 * (e.labelCount + externalNames.length);
        if (numbers.length < need) {
            numbers = new int[2 * need];
        }
        if (isInOrder(e)) {
            merge(e.names, e.values, e.labelCount);
        } else {
            int count = sort(e);
            merge(sortedNames, sortedValues, count);
        }
    }

    private static boolean isInOrder(SeriesEntry e) {
        for (int i = 0; i < e.labelCount; i++) {
            // References above 31 bits are left to who reports them.
            if (e.names[i] < 0 || e.values[i] < 0 || i > 0 && e.names[i] <= e.names[i - 1]) {
                return false;
            }
        }
        return true;
    }

    /** Labels whose names are not in order: sorted, the last of those with one name, without empty ones. How many that are. */
    private int sort(SeriesEntry e) {
        if (sortedNames.length < e.labelCount) {
            sortedNames = new int[e.labelCount];
            sortedValues = new int[e.labelCount];
        }
        int n = 0;
        for (int i = 0; i < e.labelCount; i++) {
            int name = e.names[i];
            if (name < 0 || e.values[i] < 0) {
                throw new CorruptDataException("", -1, "symbol " + Integer.toUnsignedString(name < 0 ? name : e.values[i])
                        + " is above 31 bits");
            }
            int at = Arrays.binarySearch(sortedNames, 0, n, name);
            if (at < 0) {
                at = -at - 1;
                System.arraycopy(sortedNames, at, sortedNames, at + 1, n - at);
                System.arraycopy(sortedValues, at, sortedValues, at + 1, n - at);
                n++;
            }
            sortedNames[at] = name;
            sortedValues[at] = e.values[i];
        }
        int out = 0;
        for (int i = 0; i < n; i++) {
            if (utf8(sortedValues[i]).length > 0) {
                sortedNames[out] = sortedNames[i];
                sortedValues[out++] = sortedValues[i];
            }
        }
        return out;
    }

    private void merge(int[] names, int[] values, int count) {
        int[] out = numbers;
        int n = 0;
        int x = 0;
        int externals = externalNames.length;
        for (int i = 0; i < count; i++) {
            int name = 2 * names[i] + 1;
            while (x < externals && Integer.compareUnsigned(externalNames[x], name) < 0) {
                out[n++] = externalNames[x];
                out[n++] = externalValues[x++];
            }
            if (x < externals && externalNames[x] == name || isDropped(names[i])) {
                continue;
            }
            out[n++] = name;
            out[n++] = 2 * values[i] + 1;
        }
        for (; x < externals; x++) {
            out[n++] = externalNames[x];
            out[n++] = externalValues[x];
        }
        size = n;
    }

    private boolean isDropped(int name) {
        for (int d : dropped) {
            if (d == name) {
                return true;
            }
        }
        return false;
    }

    /** Whether the series sorts with or after the one that was taken before it. */
    boolean isInOrder() {
        return Arrays.compareUnsigned(before, 0, sizeBefore, numbers, 0, size) <= 0;
    }

    /** What the series sorts by: {@link #compare} them. */
    int[] key() {
        return Arrays.copyOf(numbers, size);
    }

    /** Compares keys of two series of the block. */
    static int compare(int[] a, int[] b) {
        return Arrays.compareUnsigned(a, b);
    }

    /** Bytes of heap that a key takes. */
    static long heap(int[] key) {
        return 24 + 4L * key.length;
    }

    /** The series' labels. */
    EncodedLabels encoded() {
        encode();
        return encoded.build();
    }

    /** The series' labels, the same object as others have made of equal ones. */
    EncodedLabels encoded(LabelPool pool) {
        encode();
        return pool.pooled(encoded);
    }

    private void encode() {
        if (isEncoded) {
            return;
        }
        if (ends.length < size / 2) {
            ends = Arrays.copyOf(ends, size);
        }
        // Series that follow one another begin alike, and so do their bytes.
        int same = isBeforeEncoded ? sameLabels() : 0;
        encoded.truncate(same == 0 ? 0 : ends[same - 1]);
        int x = 0;
        for (int i = 0; i < size / 2; i++) {
            boolean isExternal = x < externalNames.length && externalNames[x] == numbers[2 * i];
            if (i >= same) {
                if (isExternal) {
                    encoded.add(externalUtf8[2 * x], externalUtf8[2 * x + 1]);
                } else {
                    encoded.add(utf8(numbers[2 * i] >>> 1), utf8(numbers[2 * i + 1] >>> 1));
                }
                ends[i] = encoded.size();
            }
            if (isExternal) {
                x++;
            }
        }
        isEncoded = true;
    }

    private int sameLabels() {
        int same = Arrays.mismatch(before, 0, sizeBefore, numbers, 0, size);
        return (same < 0 ? size : same) / 2;
    }

    private byte[] utf8(int reference) {
        int slot = reference & kept.length - 1;
        byte @Nullable [] known = kept[slot];
        if (known == null || keptReferences[slot] != reference) {
            known = symbols.utf8(reference);
            kept[slot] = known;
            keptReferences[slot] = reference;
        }
        return known;
    }
}
