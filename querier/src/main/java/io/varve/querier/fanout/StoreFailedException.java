package io.varve.querier.fanout;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.varve.model.CancelledException;
import io.varve.model.InvalidRequestException;
import io.varve.model.LimitExceededException;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;

/**
 * Marks, as a cause, what a store failed with where that ends the request, so that it is not taken for the request's own failure. The
 * status is the one that a peer is told.
 */
public final class StoreFailedException extends StatusRuntimeException {
    private static final long serialVersionUID = 1L;

    private StoreFailedException(Status status) {
        super(status);
    }

    /** The failure of a call to a store, in the words of the fan-out. */
    static UnavailableException of(String text, VarveException e) {
        return new UnavailableException(text, new StoreFailedException(status(e)));
    }

    /** The failure of a stream that had begun: whatever the store said, the request was aborted. */
    static UnavailableException aborted(String text) {
        return new UnavailableException(text, new StoreFailedException(Status.ABORTED));
    }

    /** The failure as Thanos puts it where it went through its proxy: one that aborted a stream has the status before it. */
    public static String text(VarveException e) {
        boolean aborted = e.getCause() instanceof StoreFailedException f && f.getStatus().getCode() == Status.Code.ABORTED;
        return aborted ? "rpc error: code = Aborted desc = " + e.getMessage() : e.getMessage();
    }

    /** Whether a store failed, and not the request itself. */
    public static boolean is(VarveException e) {
        return e.getCause() instanceof StoreFailedException;
    }

    private static Status status(VarveException e) {
        if (e.getCause() instanceof StatusRuntimeException s) {
            return s.getStatus().getCode().toStatus();
        }
        return switch (e) {
            case InvalidRequestException i -> Status.INVALID_ARGUMENT;
            case LimitExceededException l -> Status.RESOURCE_EXHAUSTED;
            case CancelledException c -> c.reason() == CancelledException.Reason.TIMEOUT ? Status.DEADLINE_EXCEEDED : Status.CANCELLED;
            default -> Status.UNAVAILABLE;
        };
    }
}
