package io.varve.store;

import io.varve.model.Labels;
import java.util.List;

/** One series frame: labels and some of its chunks. The same labels may come in several frames in a row. */
public record StoreSeries(Labels labels, List<StoreChunk> chunks) {
}
