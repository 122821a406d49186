package io.varve.model;

/** What may be the name of a label or metric. */
public final class LabelNames {
    private LabelNames() {
    }

    /** Whether the name is of the old form {@code [a-zA-Z_][a-zA-Z0-9_]*}, which is written without quotes. */
    public static boolean isLegacy(String name) {
        if (name.isEmpty()) {
            return false;
        }
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            boolean letter = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_';
            if (!letter && !(i > 0 && c >= '0' && c <= '9')) {
                return false;
            }
        }
        return true;
    }

    /** As {@link #isLegacy}, with colons allowed: the old form of metric names. */
    public static boolean isLegacyMetric(String name) {
        return isLegacy(name.replace(':', '_'));
    }
}
