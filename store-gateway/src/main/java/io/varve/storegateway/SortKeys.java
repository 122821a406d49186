package io.varve.storegateway;

import io.varve.model.Labels;
import io.varve.model.Utf8Order;
import io.varve.tsdb.index.IndexHeader;
import io.varve.tsdb.index.SeriesEntry;
import io.varve.tsdb.index.Symbols;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;

/**
 * The order of one block's series by their answered labels, without making the labels: in index version 2 symbols are numbered in byte
 * order, so numbers compare as the texts do. External labels lie at or between those numbers. Where that does not hold (version 1, names out
 * of order) the labels themselves are the key. One thread.
 */
final class SortKeys {
    private final boolean numbers;
    private final int[] externalNames;
    private final int[] externalValues;
    private final int[] dropped;
    private int[] scratch = new int[64];

    /** A symbol is 2n; a text between symbols n−1 and n is 2n−1. */
    SortKeys(IndexHeader header, Labels external, List<String> dropLabels, boolean asTexts) {
        Symbols symbols = header.symbols();
        Labels left = external.without(dropLabels);
        this.numbers = !asTexts && header.indexVersion() == 2 && symbols.size() < 1 << 29;
        this.externalNames = new int[numbers ? left.size() : 0];
        this.externalValues = new int[externalNames.length];
        for (int i = 0; i < externalNames.length; i++) {
            externalNames[i] = place(symbols, left.name(i));
            externalValues[i] = place(symbols, left.value(i));
        }
        this.dropped = numbers ? dropLabels.stream().mapToInt(d -> place(symbols, d)).sorted().toArray() : new int[0];
    }

    private static int place(Symbols symbols, String text) {
        int lo = 0;
        int hi = symbols.size();
        while (lo < hi) {
            int mid = (lo + hi) >>> 1;
            int c = Utf8Order.compare(symbols.text(mid), text);
            if (c == 0) {
                return mid * 2;
            }
            if (c < 0) {
                lo = mid + 1;
            } else {
                hi = mid;
            }
        }
        return lo * 2 - 1;
    }

    /** The key of a series: an int array, or its labels. */
    Object of(SeriesEntry e, Supplier<Labels> answered) {
        if (!numbers) {
            return answered.get();
        }
        int need = 2 * (e.labelCount + externalNames.length);
        if (scratch.length < need) {
            scratch = new int[need * 2];
        }
        int n = 0;
        int x = 0;
        int previous = -1;
        for (int i = 0; i < e.labelCount; i++) {
            if (e.names[i] <= previous) {
                throw new UnsortedNamesException();
            }
            previous = e.names[i];
            int name = e.names[i] * 2;
            while (x < externalNames.length && externalNames[x] < name) {
                scratch[n++] = externalNames[x];
                scratch[n++] = externalValues[x++];
            }
            if (x < externalNames.length && externalNames[x] == name) {
                // The external one wins.
                continue;
            }
            if (dropped.length > 0 && Arrays.binarySearch(dropped, name) >= 0) {
                continue;
            }
            scratch[n++] = name;
            scratch[n++] = e.values[i] * 2;
        }
        while (x < externalNames.length) {
            scratch[n++] = externalNames[x];
            scratch[n++] = externalValues[x++];
        }
        return Arrays.copyOf(scratch, n);
    }

    /** Bytes of heap. */
    long heap(Object key) {
        return switch (key) {
            case int[] a -> 24 + 4L * a.length;
            case Labels l -> 48 + 100L * l.size();
            default -> 0;
        };
    }

    /** Compares two keys of this block. */
    int compare(Object a, Object b) {
        if (a instanceof int[] x && b instanceof int[] y) {
            return Arrays.compare(x, y);
        }
        if (a instanceof Labels x && b instanceof Labels y) {
            return x.compareTo(y);
        }
        throw new IllegalStateException("keys of one block are of two kinds");
    }

    /** A series of the block has its label names out of order, so that numbers do not compare as the texts do. */
    static final class UnsortedNamesException extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }
}
