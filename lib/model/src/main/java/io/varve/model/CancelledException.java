package io.varve.model;

/** The caller is gone or the deadline has passed; stop. Has no stack trace: every query ends by cancelling what is left of it. */
public final class CancelledException extends VarveException {
    private static final long serialVersionUID = 1L;

    /** Why work stops: the deadline passed, or the caller left. */
    public enum Reason {
        /** The deadline passed. */
        TIMEOUT,
        /** The caller went away. */
        CANCELED
    }

    private final Reason reason;

    /** With the text that the reader sees. */
    public CancelledException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    /** Why work stops. */
    public Reason reason() {
        return reason;
    }
}
