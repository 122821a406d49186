package io.varve.store;

import java.util.List;

/** Vertical sharding: keep a series where the hash of the selected labels modulo {@code total} is {@code index}. */
public record ShardInfo(long index, long total, boolean by, List<String> labels) {
    /** No sharding. */
    public static final ShardInfo NONE = new ShardInfo(0, 0, false, List.of());
}
