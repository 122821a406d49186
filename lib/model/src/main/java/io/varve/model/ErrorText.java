package io.varve.model;

import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

/** Errors as a person reads them in a log line or an answer. */
public final class ErrorText {
    private ErrorText() {
    }

    /**
     * A throwable as one line: its message, or its class where it has none. The JDK's errors of files whose message is the file's name
     * alone get the operating system's words for what is wrong with it.
     */
    public static String of(Throwable t) {
        String message = t.getMessage();
        if (message == null || message.isBlank()) {
            return t.toString();
        }
        String line = message.strip().replace("\n", "\\n").replace("\r", "");
        return t instanceof FileSystemException f && f.getReason() == null ? line + ": " + reason(f) : line;
    }

    private static String reason(FileSystemException e) {
        return switch (e) {
            case NoSuchFileException n -> "no such file or directory";
            case AccessDeniedException a -> "permission denied";
            case FileAlreadyExistsException a -> "file exists";
            case DirectoryNotEmptyException d -> "directory not empty";
            case NotDirectoryException n -> "not a directory";
            default -> e.getClass().getSimpleName();
        };
    }
}
