package io.varve.objstore;

/** The operations of a bucket, by the names that metrics use. */
public enum BucketOperation {
    /** A listing, of one directory or of all below it. */
    ITER("iter"),
    /** Opening an object as a stream, until the stream is closed. */
    GET("get"),
    /** Reading a range. */
    GET_RANGE("get_range"),
    /** Kept for dashboards: whether an object exists is asked with {@link #ATTRIBUTES}. */
    EXISTS("exists"),
    /** Storing an object. */
    UPLOAD("upload"),
    /** Deleting an object. */
    DELETE("delete"),
    /** Size and time of an object. */
    ATTRIBUTES("attributes");

    private final String label;

    BucketOperation(String label) {
        this.label = label;
    }

    /** The value of the label {@code operation}. */
    public String label() {
        return label;
    }
}
