package io.varve.store;

import io.varve.model.Labels;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One series frame: labels and some of its chunks. The same labels may come in several frames in a row. The labels are texts or, from stores that
 * have them so, encoded; those become texts when somebody asks for them. Equality is by content. One thread at
 * a time.
 */
public final class StoreSeries {
    private final List<StoreChunk> chunks;
    private final @Nullable EncodedLabels encoded;
    private @Nullable Labels labels;

    /** A series whose labels are texts. */
    public StoreSeries(Labels labels, List<StoreChunk> chunks) {
        this.labels = labels;
        this.encoded = null;
        this.chunks = chunks;
    }

    /** A series whose labels are encoded. */
    public StoreSeries(EncodedLabels labels, List<StoreChunk> chunks) {
        this.encoded = labels;
        this.chunks = chunks;
    }

    /** Its labels. */
    public Labels labels() {
        Labels known = labels;
        if (known == null) {
            known = encoded == null ? Labels.EMPTY : encoded.labels();
            labels = known;
        }
        return known;
    }

    /** Its chunks, or some of them. */
    public List<StoreChunk> chunks() {
        return chunks;
    }

    /** The same series with other chunks. */
    StoreSeries withChunks(List<StoreChunk> other) {
        return encoded == null ? new StoreSeries(labels(), other) : new StoreSeries(encoded, other);
    }

    /** Writes the labels as field 1. */
    void writeLabels(ProtoWriter out) {
        if (encoded != null) {
            encoded.write(out);
        } else {
            SeriesFrames.labels(out, 1, labels());
        }
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof StoreSeries other && labels().equals(other.labels()) && chunks.equals(other.chunks);
    }

    @Override
    public int hashCode() {
        return 31 * labels().hashCode() + chunks.hashCode();
    }

    @Override
    public String toString() {
        return labels() + " " + chunks;
    }
}
