package io.varve.model;

import java.util.ArrayList;
import java.util.List;

/**
 * Which labels of series a reader is going to look at. Labels that say what a series is ({@code __name__}, {@code __type__} and {@code __unit__})
 * are among them in any case.
 *
 * <p>
 * Without the others, series that differ look alike: a source that leaves labels out does so behind everything that compares or orders series.
 *
 * @param include whether {@code names} are those that are needed, else those that are not
 * @param names of labels
 */
public record LabelProjection(boolean include, List<String> names) {
    /** All labels are needed. */
    public static final LabelProjection ALL = new LabelProjection(false, List.of());

    private static final List<String> METADATA = List.of(Labels.METRIC_NAME, "__type__", "__unit__");

    /** Copies the list. */
    public LabelProjection {
        names = List.copyOf(names);
    }

    /** Whether all labels are needed. */
    public boolean isAll() {
        return !include && names.isEmpty();
    }

    /** The same and this label. */
    public LabelProjection with(String name) {
        if (include == names.contains(name)) {
            return this;
        }
        List<String> changed = new ArrayList<>(names);
        if (include) {
            changed.add(name);
        } else {
            changed.remove(name);
        }
        return new LabelProjection(include, changed);
    }

    /** What is left of labels. */
    public Labels of(Labels labels) {
        if (isAll()) {
            return labels;
        }
        List<String> left = new ArrayList<>();
        labels.forEach((name, value) -> {
            if (include == names.contains(name) || METADATA.contains(name)) {
                left.add(name);
                left.add(value);
            }
        });
        return Labels.ofSorted(left.toArray(String[]::new));
    }
}
