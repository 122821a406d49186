package io.varve.model;

import java.util.List;

/**
 * A run of consecutive buckets of a native histogram.
 *
 * @param offset buckets between the end of the span before and this one; for the first span the index of its first bucket
 * @param length how many buckets it has
 */
public record Span(int offset, int length) {
    /** Whether spans, none of which has a negative length, follow each other without overlap and end within 32 bits. */
    public static boolean areInOrder(List<Span> spans) {
        long end = 0;
        for (int i = 0; i < spans.size(); i++) {
            Span s = spans.get(i);
            end += (long) s.offset + s.length;
            if (i > 0 && s.offset < 0 || end != (int) end) {
                return false;
            }
        }
        return true;
    }
}
