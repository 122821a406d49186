package io.varve.store;

import java.util.List;

/** Names or values, sorted and unique, with warnings and the ids of the blocks that were asked. */
public record StringsResponse(List<String> values, List<String> warnings, List<String> queriedBlocks) {
}
