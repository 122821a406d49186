package io.varve.runtime.flags;

/** A flag, or the configuration that a flag names, cannot be used. The message is the one line that the user sees. */
public final class FlagException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** With the line that the user sees. */
    public FlagException(String message) {
        super(message);
    }

    /** With the line that the user sees and what caused it. */
    public FlagException(String message, Throwable cause) {
        super(message, cause);
    }

    /** The line that the user sees. */
    @Override
    public String getMessage() {
        String message = super.getMessage();
        return message == null ? "" : message;
    }
}
