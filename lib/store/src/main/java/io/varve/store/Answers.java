package io.varve.store;

/**
 * Where the answer of a streaming call goes, item by item. One thread. Calls block while the receiver is slow and throw
 * {@link io.varve.model.CancelledException} once it is gone.
 */
public interface Answers<T> {
    /** The next item. */
    void item(T item);

    /** A warning; may come anywhere. */
    void warning(String text);
}
