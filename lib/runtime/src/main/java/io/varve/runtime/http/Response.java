package io.varve.runtime.http;

import java.io.OutputStream;

/** An answer under way. One thread. Status and headers count until the first byte leaves. */
public interface Response {
    /** Sets the status; 200 otherwise. */
    Response status(int status);

    /** Sets a header, replacing values it had. */
    Response header(String name, String value);

    /**
     * The body, compressed where the client accepts it. Writing blocks while the client reads slowly; memory stays bounded. Closing it ends
     * the answer. Throws {@link java.io.IOException} when the client is gone.
     */
    OutputStream body();

    /**
     * Sends a small whole body and ends the answer. What was written of another body and has not left is forgotten; where bytes have left, an
     * {@link java.io.IOException} says so.
     */
    void send(byte[] body) throws java.io.IOException;

    /** Sends text as {@code text/plain} with that status and ends the answer. */
    void sendText(int status, String text) throws java.io.IOException;

    /** Whether bytes have left, so that status and headers can change no more. */
    boolean isCommitted();
}
