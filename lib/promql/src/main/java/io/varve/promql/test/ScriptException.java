package io.varve.promql.test;

/** A script that breaks the rules of its language. */
final class ScriptException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int line;

    ScriptException(int line, String message) {
        super(message);
        this.line = line;
    }

    /** Line of the script, from 1. */
    int line() {
        return line;
    }

    String text() {
        String message = getMessage();
        return message == null ? "" : message;
    }
}
