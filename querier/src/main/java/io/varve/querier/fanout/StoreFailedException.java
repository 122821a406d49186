package io.varve.querier.fanout;

import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
import io.varve.model.InvalidRequestException;
import io.varve.model.LimitExceededException;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;

/** Gives a store's failure the words of the fan-out and keeps its kind. */
final class StoreFailedException {
    private final String text;
    private final VarveException cause;

    StoreFailedException(String text, VarveException cause) {
        this.text = text;
        this.cause = cause;
    }

    VarveException unwrap() {
        return switch (cause) {
            case LimitExceededException l -> new LimitExceededException(l.limit(), text);
            case InvalidRequestException i -> new InvalidRequestException(InvalidRequestException.Kind.EXECUTION, text);
            case CancelledException c -> new UnavailableException(text, c);
            case CorruptDataException c -> new UnavailableException(text, c);
            case UnavailableException u -> new UnavailableException(text, u);
        };
    }
}
