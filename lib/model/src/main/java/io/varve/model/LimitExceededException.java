package io.varve.model;

/** A configured bound struck; the message names it and its value. Retrying the same request does not help. */
public final class LimitExceededException extends VarveException {
    private static final long serialVersionUID = 1L;
    /** Stands for the name of a limit of a peer, which names it in its message. */
    public static final String ELSEWHERE = "limit of the store";
    private final String limit;

    /**
     * @param limit the name of the limit, as the flag that sets it is called
     * @param message the text that the reader sees
     */
    public LimitExceededException(String limit, String message) {
        super(message, null);
        this.limit = limit;
    }

    /** The name of the limit that struck. */
    public String limit() {
        return limit;
    }

    /** Whether a peer's limit struck, and none of this process. */
    public boolean elsewhere() {
        return limit.equals(ELSEWHERE);
    }
}
