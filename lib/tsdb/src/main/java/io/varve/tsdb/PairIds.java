package io.varve.tsdb;

import java.util.Arrays;

/** Numbers pairs of a name and a value in the order of their first appearance and counts their series. One thread. */
final class PairIds {
    private long[] keys = new long[1024];
    private int[] counts = new int[1024];
    private int[] slots = new int[2048];
    /** By value, one more than the number of the first pair that has it, 0 for none: mostly a value belongs to one name. Such pairs have no slot. */
    private int[] firstByValue = new int[1024];
    /** The same of the pair that had it last: neighbours have neighbouring values. */
    private int[] lastByValue = new int[1024];
    private int size;
    private int slotted;

    private static int hash(long key) {
        long h = key * 0x9E3779B97F4A7C15L;
        return (int) (h >>> 32);
    }

    int id(int name, int value) {
        long key = (long) name << 32 | value;
        if (value >= lastByValue.length) {
            int length = Math.max(value + 1, 2 * lastByValue.length);
            firstByValue = Arrays.copyOf(firstByValue, length);
            lastByValue = Arrays.copyOf(lastByValue, length);
        }
        int last = lastByValue[value] - 1;
        if (last >= 0 && keys[last] == key) {
            return last;
        }
        int id;
        if (last < 0) {
            id = append(key);
            firstByValue[value] = id + 1;
        } else {
            int first = firstByValue[value] - 1;
            id = keys[first] == key ? first : find(key);
        }
        lastByValue[value] = id + 1;
        return id;
    }

    private int append(long key) {
        if (size == keys.length) {
            keys = Arrays.copyOf(keys, size * 2);
            counts = Arrays.copyOf(counts, size * 2);
        }
        keys[size] = key;
        return size++;
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
        int id = append(key);
        slots[slot] = id + 1;
        if (2 * ++slotted > slots.length) {
            grow();
        }
        return id;
    }

    private void grow() {
        int[] old = slots;
        slots = new int[old.length * 2];
        for (int pair : old) {
            if (pair != 0) {
                fillSlot(pair);
            }
        }
    }

    private void fillSlot(int pair) {
        int mask = slots.length - 1;
        int slot = hash(keys[pair - 1]) & mask;
        while (slots[slot] != 0) {
            slot = slot + 1 & mask;
        }
        slots[slot] = pair;
    }

    /** Gives names and values new numbers; those of the pairs stay, and no pair is looked up any more if there are some. */
    void renumber(int[] numbers) {
        for (int i = 0; i < size; i++) {
            keys[i] = (long) numbers[name(i)] << 32 | numbers[value(i)];
        }
    }

    void count(int id) {
        counts[id]++;
    }

    /** Heap that the tables take. */
    long heapBytes() {
        return 12L * keys.length + 4L * slots.length + 8L * lastByValue.length;
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
