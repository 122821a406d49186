package io.varve.promql.exec;

import io.varve.promql.function.Grid;
import io.varve.promql.function.Notes;
import io.varve.promql.parser.Position;
import org.jspecify.annotations.Nullable;

/**
 * What a binary operator notes: of all pairs at a step the last one that notes something counts, as Prometheus has it. Pairs may come
 * in any order, each with its rank among those of its step. One thread.
 */
final class StepNotes {
    private final Position position;
    private final int steps;
    private @Nullable String @Nullable [] texts;
    private boolean[] warnings = new boolean[0];
    private int[] ranks = new int[0];
    private int rank;

    StepNotes(Grid grid, Position position) {
        this.steps = grid.count();
        this.position = position;
    }

    /** Sets the rank of the pair that comes next, among those of its step. */
    void rank(int r) {
        rank = r;
    }

    void warn(int step, String text) {
        note(step, true, text);
    }

    void info(int step, String text) {
        note(step, false, text);
    }

    private void note(int step, boolean warning, String text) {
        @Nullable
        String[] t = texts;
        if (t == null) {
            t = new String[steps];
            texts = t;
            warnings = new boolean[steps];
            ranks = new int[steps];
        }
        if (t[step] == null || rank >= ranks[step]) {
            t[step] = text;
            warnings[step] = warning;
            ranks[step] = rank;
        }
    }

    /** Passes on what there is, once. */
    void flush(Notes notes) {
        @Nullable
        String[] t = texts;
        texts = null;
        for (int i = 0; t != null && i < steps; i++) {
            String text = t[i];
            if (text != null && warnings[i]) {
                notes.warn(position, text);
            } else if (text != null) {
                notes.info(position, text);
            }
        }
    }
}
