package io.varve.model;

/** A dependency did not answer and may later; the caller may retry. */
public final class UnavailableException extends VarveException {
    private static final long serialVersionUID = 1L;

    /** With the text that the reader sees. */
    public UnavailableException(String message) {
        super(message, null);
    }

    /** With the text that the reader sees and what caused it. */
    public UnavailableException(String message, Throwable cause) {
        super(message, cause);
    }
}
