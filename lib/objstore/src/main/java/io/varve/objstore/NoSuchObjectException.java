package io.varve.objstore;

/** The object is not in the bucket. Checked, because absence is ordinary and every reader must decide what it means. */
public final class NoSuchObjectException extends Exception {
    private static final long serialVersionUID = 1L;

    /** For the object of that key. */
    public NoSuchObjectException(String key) {
        super("object " + key + " does not exist");
    }
}
