package io.varve.block;

/** What became of a block in a sync; the label {@code state} of {@code thanos_blocks_meta_synced}. */
public enum BlockState {
    /** In the catalog. */
    LOADED("loaded"),
    /** Its meta.json cannot be understood. */
    CORRUPTED_META("corrupted-meta-json"),
    /** It has no meta.json: being uploaded, or left behind. */
    NO_META("no-meta-json"),
    /** Its meta.json could not be read, or is of another version. */
    FAILED("failed"),
    /** Relabel rules dropped it. */
    LABEL_EXCLUDED("label-excluded"),
    /** It lies outside the time partition. */
    TIME_EXCLUDED("time-excluded"),
    /** Younger than the consistency delay. */
    TOO_FRESH("too-fresh"),
    /** Another block holds all its data. */
    DUPLICATE("duplicate"),
    /** Marked for deletion for longer than the delay. */
    MARKED_FOR_DELETION("marked-for-deletion"),
    /** Marked: leave it alone when compacting. */
    MARKED_FOR_NO_COMPACT("marked-for-no-compact"),
    /** Marked: leave it alone when downsampling. */
    MARKED_FOR_NO_DOWNSAMPLE("marked-for-no-downsample"),
    /** Converted to Parquet. */
    PARQUET_MIGRATED("parquet-migrated");

    private final String label;

    BlockState(String label) {
        this.label = label;
    }

    /** As in the metric. */
    public String label() {
        return label;
    }
}
