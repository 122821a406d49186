package io.varve.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;

/** A new directory that is deleted with all it holds when closed; and helpers for whole trees. */
public final class TempTree implements AutoCloseable {
    private final Path root;

    private TempTree(Path root) {
        this.root = root;
    }

    /** A new empty directory. */
    public static TempTree create() {
        try {
            return new TempTree(Files.createTempDirectory("varve-test-"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The directory. */
    public Path root() {
        return root;
    }

    /** A path below the directory. */
    public Path resolve(String relative) {
        return root.resolve(relative);
    }

    /** Writes a file below the directory, making the directories on the way. */
    public Path write(String relative, byte[] content) {
        Path p = root.resolve(relative);
        try {
            Files.createDirectories(p.getParent());
            return Files.write(p, content);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Copies a tree; the copies are writable whatever the originals are. */
    public static void copy(Path from, Path to) {
        try {
            Files.walkFileTree(from, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult preVisitDirectory(Path dir, BasicFileAttributes attrs) throws IOException {
                    Files.createDirectories(to.resolve(from.relativize(dir).toString()));
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attrs) throws IOException {
                    // Bytes, not Files.copy: read-only originals would give read-only copies.
                    Files.write(to.resolve(from.relativize(file).toString()), Files.readAllBytes(file));
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            throw new UncheckedIOException("copying " + from + " to " + to, e);
        }
    }

    /** Deletes a tree; what is gone already is fine. */
    public static void delete(Path tree) {
        if (!Files.exists(tree)) {
            return;
        }
        try {
            Files.walkFileTree(tree, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attrs) throws IOException {
                    Files.deleteIfExists(file);
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult postVisitDirectory(Path dir, @Nullable IOException e) throws IOException {
                    Files.deleteIfExists(dir);
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            throw new UncheckedIOException("deleting " + tree, e);
        }
    }

    @Override
    public void close() {
        delete(root);
    }
}
