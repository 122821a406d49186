package io.varve.store;

/** What a server does with the hints of a request, which name blocks. */
public enum HintsPolicy {
    /** Reads them; a hint of another kind is an invalid request, as at Thanos' store gateway. */
    STRICT,
    /** Has no blocks to choose from, as a sidecar, or does not pass them on, as a querier. */
    NONE
}
