package io.varve.store;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
import io.varve.model.InvalidRequestException;
import io.varve.model.LimitExceededException;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import java.net.ConnectException;

/** The five kinds of failure as gRPC statuses, and back. */
final class Statuses {
    /** How the JVM begins to say that nobody listens; the address follows after a slash. */
    private static final String REFUSED = "Connection refused";
    private static final int MAX_DESCRIPTION = 4096;

    private Statuses() {
    }

    static Status of(Throwable t) {
        return switch (t) {
            case VarveException e -> of(e);
            case StatusRuntimeException e -> e.getStatus();
            default -> Status.INTERNAL.withDescription("internal error: " + t).withCause(t);
        };
    }

    private static Status of(VarveException e) {
        Status status = switch (e) {
            case InvalidRequestException x -> Status.INVALID_ARGUMENT;
            // Thanos answers Unknown for data it cannot use, and its users' alerts count that code.
            case CorruptDataException x -> Status.UNKNOWN;
            case UnavailableException x -> Status.UNAVAILABLE;
            case LimitExceededException x -> Status.RESOURCE_EXHAUSTED;
            case CancelledException x -> x.reason() == CancelledException.Reason.TIMEOUT ? Status.DEADLINE_EXCEEDED : Status.CANCELLED;
        };
        if (e.getCause() instanceof StatusRuntimeException peer) {
            // A proxy passes the code of the store on that failed, as Thanos does.
            status = peer.getStatus().getCode().toStatus();
        }
        String text = e.getMessage();
        return status.withDescription(text.length() > MAX_DESCRIPTION ? text.substring(0, MAX_DESCRIPTION) + "…" : text);
    }

    /** A peer's status as a failure of ours; the text is as Go prints it, which peers look for in warnings. */
    static VarveException failure(Status status) {
        String description = status.getDescription();
        Throwable cause = status.getCause();
        String text = "rpc error: code = " + goName(status.getCode()) + " desc = "
                + (description != null ? description : cause != null ? String.valueOf(cause.getMessage()) : "");
        if (cause instanceof ConnectException && cause.getMessage() != null && cause.getMessage().startsWith(REFUSED)) {
            String peer = cause.getMessage().substring(cause.getMessage().lastIndexOf('/') + 1);
            text = "rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial tcp " + peer
                    + ": connect: connection refused\"";
        } else if (cause != null && cause.getMessage() != null && description != null && !description.contains(cause.getMessage())) {
            text += ": " + cause.getMessage();
        }
        return switch (status.getCode()) {
            case INVALID_ARGUMENT, OUT_OF_RANGE, FAILED_PRECONDITION -> new InvalidRequestException(text);
            case RESOURCE_EXHAUSTED -> new LimitExceededException(LimitExceededException.ELSEWHERE, text);
            case CANCELLED -> new CancelledException(CancelledException.Reason.CANCELED, text);
            case DEADLINE_EXCEEDED -> new CancelledException(CancelledException.Reason.TIMEOUT, text);
            case OK, UNKNOWN, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, ABORTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS,
                    UNAUTHENTICATED ->
                new UnavailableException(text, cause == null ? status.asRuntimeException() : cause);
        };
    }

    static String goName(Status.Code code) {
        StringBuilder sb = new StringBuilder();
        if (code == Status.Code.OK) {
            return "OK";
        }
        if (code == Status.Code.CANCELLED) {
            return "Canceled";
        }
        for (String word : code.name().split("_", -1)) {
            sb.append(word.charAt(0)).append(word.substring(1).toLowerCase(java.util.Locale.ROOT));
        }
        return sb.toString();
    }
}
