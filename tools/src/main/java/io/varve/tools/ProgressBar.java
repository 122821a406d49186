package io.varve.tools;

import java.io.PrintWriter;

/** A line that says how far a command has come, on a terminal; elsewhere nothing. One thread. */
final class ProgressBar implements AutoCloseable {
    private static final int WIDTH = 30;
    private static final long EVERY_NANOS = 100_000_000;

    private final PrintWriter out;
    private final boolean shown;
    private final String what;
    private final long total;
    private final long start = System.nanoTime();
    private long last = start - EVERY_NANOS;
    private boolean drawn;

    /**
     * @param total how much there is to do, in any unit
     */
    ProgressBar(PrintWriter out, boolean shown, String what, long total) {
        this.out = out;
        this.shown = shown;
        this.what = what;
        this.total = Math.max(1, total);
    }

    /** Whether standard error is looked at by a person. */
    static boolean onTerminal() {
        return System.console() != null && System.console().isTerminal();
    }

    void at(long done) {
        long now = System.nanoTime();
        if (!shown || now - last < EVERY_NANOS && done < total) {
            return;
        }
        last = now;
        out.print(line(done, now - start));
        out.flush();
        drawn = true;
    }

    String line(long done, long nanos) {
        double part = Math.min(1.0, (double) done / total);
        int filled = (int) (part * WIDTH);
        double seconds = nanos / 1e9;
        String rest = part > 0.01 && part < 1 ? String.format(", %.0f s left", seconds / part - seconds) : "";
        return String.format("\r%s [%s%s] %3.0f %%, %.0f s%s    ", what, "#".repeat(filled), ".".repeat(WIDTH - filled), part * 100,
                seconds, rest);
    }

    /** All is done, whatever the last count was; nothing where it went too fast for a line. */
    void done() {
        if (drawn) {
            at(total);
        }
    }

    /** Ends the line. */
    @Override
    public void close() {
        if (drawn) {
            out.println();
            out.flush();
        }
    }
}
