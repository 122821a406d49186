package io.varve.querier.dedup;

import io.varve.model.InvalidRequestException;

/** How replicas of one series are merged. */
public enum DedupFunction {
    /** Varve's own: one replica leads, others fill its gaps. */
    VARVE,
    /** As Thanos: the replica that speaks keeps speaking until it falls behind. */
    PENALTY,
    /** As Thanos: the union of all samples, the first of equal times wins. */
    CHAIN;

    /** The function of that name, as the flag spells it. */
    public static DedupFunction parse(String name) {
        return switch (name) {
            case "varve" -> VARVE;
            case "penalty" -> PENALTY;
            case "chain" -> CHAIN;
            default -> throw new InvalidRequestException(
                    "--deduplication.func: enum value must be one of varve, penalty, chain, got '" + name + "'");
        };
    }

    /** Whether the name of a PromQL function says that its argument is a counter, as Thanos counts them. */
    public static boolean isCounterFunction(String function) {
        return switch (function) {
            case "increase", "rate", "irate", "resets" -> true;
            default -> false;
        };
    }
}
