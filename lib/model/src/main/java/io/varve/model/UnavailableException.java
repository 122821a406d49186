package io.varve.model;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

/** A dependency did not answer and may later; the caller may retry. */
public final class UnavailableException extends VarveException {
    private static final long serialVersionUID = 1L;

    /** With the text that the reader sees. */
    public UnavailableException(String message) {
        super(message, null);
    }

    /** With the text that the reader sees and what caused it. */
    public UnavailableException(String message, Throwable cause) {
        super(message, cause);
    }

    /** A failure to do {@code what} with a file, in words where the cause is a common one: its own message is but the file's name then. */
    public static UnavailableException of(String what, IOException e) {
        return new UnavailableException(what + ": " + switch (e) {
            case NoSuchFileException _ -> "no such file or directory";
            case AccessDeniedException _ -> "permission denied";
            case NotDirectoryException _ -> "not a directory";
            default -> ErrorText.of(e);
        }, e);
    }
}
