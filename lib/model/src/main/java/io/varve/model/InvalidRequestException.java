package io.varve.model;

/** The asker must change the request; trying again does not help. */
public non-sealed class InvalidRequestException extends VarveException {
    private static final long serialVersionUID = 1L;

    /** When the request turned out to be wrong. */
    public enum Kind {
        /** Before anything was done: it does not parse, a parameter is missing or out of its range (HTTP: bad_data, 400). */
        REQUEST,
        /** On evaluation: well formed, but without an answer over this data, as in many-to-many matching (HTTP: execution, 422). */
        EXECUTION
    }

    private final Kind kind;

    /** Wrong from the start, with the text that the reader sees. */
    public InvalidRequestException(String message) {
        super(message, null);
        this.kind = Kind.REQUEST;
    }

    /** Wrong from the start, with the text that the reader sees and what caused it. */
    public InvalidRequestException(String message, Throwable cause) {
        super(message, cause);
        this.kind = Kind.REQUEST;
    }

    /** With the text that the reader sees. */
    public InvalidRequestException(Kind kind, String message) {
        super(message, null);
        this.kind = kind;
    }

    /** When it turned out to be wrong. */
    public Kind kind() {
        return kind;
    }
}
