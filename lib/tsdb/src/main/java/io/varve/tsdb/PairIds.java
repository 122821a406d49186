package io.varve.tsdb;

import java.util.Arrays;

/** Numbers pairs of a name and a value in the order of their first appearance and counts their series. One thread. */
final class PairIds {
    private long[] keys = new long[1024];
    private int[] counts = new int[1024];
    private int[] slots = new int[2048];
    /** By value, one more than the number of the pair that had it last, 0 for none: mostly a value belongs to one name, and neighbours have neighbouring values. */
    private int[] byValue = new int[1024];
    private int size;

    private static int hash(long key) {
        long h = key * 0x9E3779B97F4A7C15L;
        return (int) (h >>> 32);
    }

    int id(int name, int value) {
        long key = (long) name << 32 | value;
        if (value >= byValue.length) {
            byValue = Arrays.copyOf(byValue, Math.max(value + 1, 2 * byValue.length));
        }
        int likely = byValue[value] - 1;
        if (likely >= 0 && keys[likely] == key) {
            return likely;
        }
        int id = find(key);
        byValue[value] = id + 1;
        return id;
    }

    private int find(long key) {
        int mask = slots.length - 1;
        int slot = hash(key) & mask;
        while (slots[slot] != 0) {
            if (keys[slots[slot] - 1] == key) {
                return slots[slot] - 1;
            }
            slot = slot + 1 & mask;
        }
        if (size == keys.length) {
            grow();
            return find(key);
        }
        keys[size] = key;
        slots[slot] = ++size;
        return size - 1;
    }

    private void grow() {
        keys = Arrays.copyOf(keys, keys.length * 2);
        counts = Arrays.copyOf(counts, keys.length);
        slots = new int[keys.length * 2];
        fillSlots();
    }

    private void fillSlots() {
        int mask = slots.length - 1;
        for (int i = 0; i < size; i++) {
            int slot = hash(keys[i]) & mask;
            while (slots[slot] != 0) {
                slot = slot + 1 & mask;
            }
            slots[slot] = i + 1;
        }
    }

    /** Gives names and values new numbers; those of the pairs stay. */
    void renumber(int[] numbers) {
        for (int i = 0; i < size; i++) {
            keys[i] = (long) numbers[name(i)] << 32 | numbers[value(i)];
        }
        Arrays.fill(slots, 0);
        Arrays.fill(byValue, 0);
        fillSlots();
    }

    void count(int id) {
        counts[id]++;
    }

    /** Heap that the tables take. */
    long heapBytes() {
        return 12L * keys.length + 4L * slots.length + 4L * byValue.length;
    }

    int size() {
        return size;
    }

    int name(int id) {
        return (int) (keys[id] >>> 32);
    }

    int value(int id) {
        return (int) keys[id];
    }

    int series(int id) {
        return counts[id];
    }
}
