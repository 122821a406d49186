package io.varve.tsdb;

import io.varve.model.Utf8Order;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Numbers texts in the order of their first appearance. Open addressing: half the memory of a map of boxes. One thread. */
final class SymbolIds {
    /** Of a string and its bytes, beside the bytes. */
    private static final int TEXT_OVERHEAD = 48;
    private @Nullable String[] texts = new String[1024];
    private int[] slots = new int[2048];
    private int size;
    private long textBytes;

    /**
     * The number of a text, a new one where it is new.
     *
     * @param guess a number that it likely has: where it stands for the same object, nothing is looked up. May be any number.
     */
    @SuppressWarnings("ReferenceEquality")
    int id(String text, int guess) {
        return guess >= 0 && guess < size && texts[guess] == text ? guess : id(text);
    }

    /** The number of a text, a new one where it is new. */
    int id(String text) {
        int mask = slots.length - 1;
        int h = text.hashCode();
        int slot = (h ^ h >>> 15) & mask;
        while (slots[slot] != 0) {
            String other = texts[slots[slot] - 1];
            if (text.equals(other)) {
                return slots[slot] - 1;
            }
            slot = slot + 1 & mask;
        }
        if (size == texts.length) {
            grow();
            return id(text);
        }
        texts[size] = text;
        textBytes += TEXT_OVERHEAD + text.length();
        slots[slot] = ++size;
        return size - 1;
    }

    private void grow() {
        texts = Arrays.copyOf(texts, texts.length * 2);
        slots = new int[texts.length * 2];
        int mask = slots.length - 1;
        for (int i = 0; i < size; i++) {
            int h = text(i).hashCode();
            int slot = (h ^ h >>> 15) & mask;
            while (slots[slot] != 0) {
                slot = slot + 1 & mask;
            }
            slots[slot] = i + 1;
        }
    }

    /** Numbers the texts in byte order; gives the new number of each old one. */
    int[] sort() {
        String[] sorted = toArray();
        Arrays.sort(sorted, Utf8Order::compare);
        int[] rank = new int[size];
        for (int i = 0; i < size; i++) {
            // Mostly they are in order already.
            rank[id(sorted[i], i)] = i;
        }
        for (int i = 0; i < slots.length; i++) {
            if (slots[i] != 0) {
                slots[i] = rank[slots[i] - 1] + 1;
            }
        }
        System.arraycopy(sorted, 0, texts, 0, size);
        return rank;
    }

    int size() {
        return size;
    }

    /** Heap that texts and tables take; an estimate. */
    long heapBytes() {
        return textBytes + 8L * texts.length + 4L * slots.length;
    }

    String text(int id) {
        String t = texts[id];
        if (t == null) {
            throw new IllegalArgumentException("no symbol " + id);
        }
        return t;
    }

    /** All texts, of the caller. */
    String[] toArray() {
        String[] out = new String[size];
        for (int i = 0; i < size; i++) {
            out[i] = text(i);
        }
        return out;
    }
}
