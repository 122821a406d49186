package io.varve.store;

import io.varve.model.Labels;
import io.varve.model.Utf8Order;
import java.util.Arrays;

/**
 * Reads the labels of one series after another. Series come in label order, so that most labels stand in the series before as well, at the
 * same place and in the same bytes: those are taken from there without being looked into. One thread.
 */
final class LabelReader {
    private static final int USUAL = 16;

    private final LabelTexts texts;
    /** The series before: its labels, names and values, and where the first {@code known} labels' bytes lie. */
    private Labels labels = Labels.EMPTY;
    private String[] before = {};
    private byte[] beforeData = {};
    private int known;
    private int[] from = new int[USUAL];
    private int[] length = new int[USUAL];
    /** The series that is being read. */
    private String[] pairs = new String[2 * USUAL];
    private byte[] data = {};
    private int n;
    private boolean open;
    private boolean same;
    private boolean sorted;

    LabelReader(LabelTexts texts) {
        this.texts = texts;
    }

    /** Begins a series. */
    void begin(ProtoReader r) {
        if (open) {
            known = 0; // the last series broke off: what is remembered is half of that and half of the one before
        }
        open = true;
        data = r.array();
        pairs = new String[before.length == 0 ? 2 * USUAL : before.length];
        n = 0;
        same = true;
        sorted = true;
    }

    /** Reads the label that is the present field. */
    void label(ProtoReader r) {
        int i = n++;
        if (2 * i == pairs.length) {
            pairs = Arrays.copyOf(pairs, Math.max(2 * USUAL, 4 * i));
        }
        if (i == from.length) {
            from = Arrays.copyOf(from, 2 * i);
            length = Arrays.copyOf(length, 2 * i);
        }
        int bytes = r.length();
        int at = r.position();
        if (i < known && length[i] == bytes && Arrays.equals(data, at, at + bytes, beforeData, from[i], from[i] + bytes)) {
            r.advance(bytes);
            pairs[2 * i] = before[2 * i];
            pairs[2 * i + 1] = before[2 * i + 1];
            from[i] = at;
            if (same) {
                return;
            }
        } else {
            read(r, bytes, 2 * i);
            from[i] = at;
            length[i] = bytes;
            same = false;
        }
        sorted &= i == 0 || follows(i);
    }

    /** Whether the name comes after the one before it. */
    private boolean follows(int i) {
        String a = pairs[2 * i - 2];
        String b = pairs[2 * i];
        return i < known && a == before[2 * i - 2] && b == before[2 * i] || Utf8Order.compare(a, b) < 0;
    }

    private void read(ProtoReader r, int bytes, int into) {
        pairs[into] = "";
        pairs[into + 1] = "";
        int outer = r.enter(bytes);
        while (r.next()) {
            switch (r.field()) {
                case 1 -> pairs[into] = text(r);
                case 2 -> pairs[into + 1] = text(r);
                default -> r.skip();
            }
        }
        r.leave(outer);
    }

    private String text(ProtoReader r) {
        int bytes = r.length();
        int at = r.position();
        r.advance(bytes);
        return texts.of(data, at, bytes);
    }

    /** The series' labels; sorted where a peer did not, so that what follows can rely on it. */
    Labels end() {
        open = false;
        if (same && n == known && n > 0) {
            beforeData = data;
            return labels;
        }
        String[] own = 2 * n == pairs.length ? pairs : Arrays.copyOf(pairs, 2 * n);
        labels = sorted ? Labels.ofSorted(own) : Labels.of(own);
        before = own;
        beforeData = data;
        // Places in the bytes and in labels that had to be sorted are not the same.
        known = sorted ? n : 0;
        return labels;
    }
}
