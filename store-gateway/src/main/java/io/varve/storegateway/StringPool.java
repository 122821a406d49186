package io.varve.storegateway;

import io.varve.model.Labels;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Makes equal label texts of different blocks the same object, so that merging compares them by identity. Of bounded size; a text that finds
 * its place taken takes it over. Safe for many threads.
 */
final class StringPool {
    private static final int SLOTS = 1 << 16;
    private static final int MAX_LENGTH = 256;
    private final AtomicReferenceArray<String> slots = new AtomicReferenceArray<>(SLOTS);

    String pooled(String s) {
        if (s.length() > MAX_LENGTH) {
            return s;
        }
        int h = s.hashCode();
        int slot = (h ^ h >>> 16) & SLOTS - 1;
        String known = slots.getPlain(slot);
        if (known != null && known.equals(s)) {
            return known;
        }
        slots.setRelease(slot, s);
        return s;
    }

    Labels pooled(Labels labels) {
        String[] pairs = new String[labels.size() * 2];
        for (int i = 0; i < labels.size(); i++) {
            pairs[2 * i] = pooled(labels.name(i));
            pairs[2 * i + 1] = pooled(labels.value(i));
        }
        return Labels.ofSorted(pairs);
    }
}
