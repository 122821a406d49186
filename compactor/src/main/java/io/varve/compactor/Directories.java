package io.varve.compactor;

import io.varve.model.UnavailableException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The work directory. */
final class Directories {
    private Directories() {
    }

    /** Deletes a directory with all in it, if it is there. */
    static void delete(Path directory) {
        try {
            Files.walkFileTree(directory, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                    Files.delete(file);
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult postVisitDirectory(Path dir, @Nullable IOException e) throws IOException {
                    Files.delete(dir);
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (NoSuchFileException e) {
            // Nothing to do.
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
