package io.varve.chunk;

import io.varve.model.Labels;
import java.util.List;

/**
 * One series with its chunks still encoded, in order of their start.
 *
 * @param labels all labels
 * @param chunks by minTime then maxTime; may overlap where a source says so
 */
public record ChunkSeries(Labels labels, List<Chunk> chunks) {
}
