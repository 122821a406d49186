package io.varve.storegateway;

import io.varve.model.Labels;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Makes equal labels of different blocks, and their texts, the same objects, so that merging compares them by identity. Of bounded size; what
 * finds its place taken takes it over. Safe for many threads.
 */
final class LabelPool {
    private static final int SLOTS = 1 << 16;
    private static final int LABELS_SLOTS = 1 << 13;
    private static final int MAX_LENGTH = 256;
    private static final int MAX_LABELS = 64;
    private final AtomicReferenceArray<String> slots = new AtomicReferenceArray<>(SLOTS);
    private final AtomicReferenceArray<Labels> labelsSlots = new AtomicReferenceArray<>(LABELS_SLOTS);

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
        if (labels.size() > MAX_LABELS) {
            return labels;
        }
        int h = labels.hashCode();
        int slot = (h ^ h >>> 16) & LABELS_SLOTS - 1;
        Labels known = labelsSlots.getPlain(slot);
        if (known != null && known.equals(labels)) {
            return known;
        }
        labelsSlots.setRelease(slot, labels);
        return labels;
    }
}
