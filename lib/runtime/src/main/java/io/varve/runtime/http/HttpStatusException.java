package io.varve.runtime.http;

/** Ends a request with a status and one line of text. */
public final class HttpStatusException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final int status;

    /** With the status and the text that the client sees. */
    public HttpStatusException(int status, String message) {
        super(message);
        this.status = status;
    }

    /** With the status, the text that the client sees and what caused it. */
    public HttpStatusException(int status, String message, Throwable cause) {
        super(message, cause);
        this.status = status;
    }

    /** The HTTP status. */
    public int status() {
        return status;
    }
}
