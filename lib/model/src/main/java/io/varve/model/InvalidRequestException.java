package io.varve.model;

/** The asker must change the request; trying again does not help. */
public final class InvalidRequestException extends VarveException {
    private static final long serialVersionUID = 1L;

    /** With the text that the reader sees. */
    public InvalidRequestException(String message) {
        super(message, null);
    }

    /** With the text that the reader sees and what caused it. */
    public InvalidRequestException(String message, Throwable cause) {
        super(message, cause);
    }
}
