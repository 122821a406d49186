package io.varve.compactor;

import io.varve.model.UnavailableException;
import io.varve.tsdb.Durable;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.function.Predicate;

/** The work directory. */
final class Directories {
    private Directories() {
    }

    /** Deletes a directory with all in it, if it is there. */
    static void delete(Path directory) {
        try {
            Durable.deleteTree(directory);
        } catch (IOException e) {
            throw new UnavailableException("delete " + directory + ": " + e, e);
        }
    }

    /** Deletes what lies in a directory and is not kept. */
    static void deleteChildren(Path directory, Predicate<String> kept) {
        try (DirectoryStream<Path> children = Files.newDirectoryStream(directory)) {
            for (Path child : children) {
                if (!kept.test(child.getFileName().toString())) {
                    delete(child);
                }
            }
        } catch (NoSuchFileException e) {
            // Nothing to do.
        } catch (IOException e) {
            throw new UnavailableException("clean " + directory + ": " + e, e);
        }
    }
}
