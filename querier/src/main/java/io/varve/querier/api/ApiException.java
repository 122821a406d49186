package io.varve.querier.api;

import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
import io.varve.model.InvalidRequestException;
import io.varve.model.LimitExceededException;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.querier.fanout.StoreFailedException;
import org.jspecify.annotations.Nullable;

/** Ends a request of the API with an error envelope. */
public final class ApiException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** What went wrong, as the envelope's {@code errorType} says. */
    public enum Kind {
        /** Bad parameters. */
        BAD_DATA("bad_data", 400),
        /** The query has no answer over this data, or stores failed. */
        EXECUTION("execution", 422),
        /** The caller left. */
        CANCELED("canceled", 503),
        /** Out of time. */
        TIMEOUT("timeout", 503),
        /** Too much is going on; later, or elsewhere, there may be an answer. */
        UNAVAILABLE("unavailable", 503),
        /** Anything else. */
        INTERNAL("internal", 500);

        private final String text;
        private final int status;

        Kind(String text, int status) {
            this.text = text;
            this.status = status;
        }
    }

    private final Kind kind;

    /** With the text that the reader sees. */
    public ApiException(Kind kind, String message) {
        super(message);
        this.kind = kind;
    }

    ApiException(Kind kind, String message, Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    static ApiException badData(String message) {
        return new ApiException(Kind.BAD_DATA, message);
    }

    /** The same failure as the API tells it; {@code stores} goes before what stores did not do. */
    static ApiException of(VarveException e, String stores) {
        return switch (e) {
            case InvalidRequestException i -> switch (i.kind()) {
                case REQUEST -> new ApiException(Kind.BAD_DATA, i.getMessage(), i);
                case EXECUTION -> new ApiException(Kind.EXECUTION, i.getMessage(), i);
            };
            case LimitExceededException l -> new ApiException(Kind.EXECUTION, l.getMessage(), l);
            case CancelledException c -> new ApiException(c.reason() == CancelledException.Reason.TIMEOUT ? Kind.TIMEOUT : Kind.CANCELED,
                    c.getMessage(), c);
            case UnavailableException u -> new ApiException(Kind.EXECUTION, stores + StoreFailedException.text(u), u);
            case CorruptDataException c -> new ApiException(Kind.EXECUTION, c.getMessage(), c);
        };
    }

    /** As {@code errorType} spells it. */
    public String type() {
        return kind.text;
    }

    /** The HTTP status. */
    public int status() {
        return kind.status;
    }

    @Override
    public String getMessage() {
        @Nullable
        String m = super.getMessage();
        return m == null ? "" : m;
    }
}
