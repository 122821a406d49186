package io.varve.model;

import org.jspecify.annotations.Nullable;

/**
 * What can go wrong, classed by what its reader should do next. Every edge (HTTP, gRPC, compactor) maps the kinds in one
 * exhaustive {@code switch}; anything else that escapes is a bug.
 *
 * <p>
 * A message says what was attempted, what was expected and what was found.
 */
public abstract sealed class VarveException extends RuntimeException
        permits InvalidRequestException, CorruptDataException, UnavailableException, LimitExceededException, CancelledException {
    private static final long serialVersionUID = 1L;

    VarveException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    /** Without a stack trace. */
    VarveException(String message) {
        super(message, null, true, false);
    }

    /** The message; never null. */
    @Override
    public String getMessage() {
        String message = super.getMessage();
        return message == null ? "" : message;
    }
}
