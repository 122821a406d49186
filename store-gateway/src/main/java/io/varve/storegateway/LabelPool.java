package io.varve.storegateway;

import io.varve.store.EncodedLabels;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Makes equal labels of different blocks the same object: blocks that keep what they decoded share it, and merging compares them by identity. Of
 * bounded size; what finds its place taken takes it over. Safe for many threads.
 */
final class LabelPool {
    private static final int SLOTS = 1 << 13;
    private static final int MAX_BYTES = 2048;
    private final AtomicReferenceArray<EncodedLabels> slots = new AtomicReferenceArray<>(SLOTS);

    EncodedLabels pooled(EncodedLabels.Builder labels) {
        if (labels.size() > MAX_BYTES) {
            return labels.build();
        }
        int slot = (int) labels.hash() & SLOTS - 1;
        EncodedLabels known = slots.getPlain(slot);
        if (known != null && labels.isSame(known)) {
            return known;
        }
        EncodedLabels fresh = labels.build();
        slots.setRelease(slot, fresh);
        return fresh;
    }
}
