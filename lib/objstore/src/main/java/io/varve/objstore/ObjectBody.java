package io.varve.objstore;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** What is uploaded: a known number of bytes that can be read more than once. */
public interface ObjectBody {
    /** Bytes. */
    long size();

    /** A fresh stream over all bytes, closed by the caller. */
    InputStream open() throws IOException;

    /** The file that holds the bytes, null where they come from elsewhere: a bucket that is a directory has them copied in the kernel. */
    default @Nullable Path file() {
        return null;
    }

    /**
     * Whether {@link #file()} was made for this upload and nobody writes to it any more, so that a bucket on the same file system may keep the
     * file itself under a second name in place of a copy.
     */
    default boolean handedOver() {
        return false;
    }

    /** Of bytes in memory. */
    static ObjectBody of(byte[] bytes) {
        return new ObjectBody() {
            @Override
            public long size() {
                return bytes.length;
            }

            @Override
            public InputStream open() {
                return new ByteArrayInputStream(bytes);
            }
        };
    }

    /** Of a file that does not change meanwhile. */
    static ObjectBody of(Path file) throws IOException {
        return of(file, false);
    }

    /** Of a file that is {@link #handedOver()}: its maker does nothing with it from now on but read it or remove its name. */
    static ObjectBody handOver(Path file) throws IOException {
        return of(file, true);
    }

    private static ObjectBody of(Path file, boolean handedOver) throws IOException {
        long size = Files.size(file);
        return new ObjectBody() {
            @Override
            public long size() {
                return size;
            }

            @Override
            public InputStream open() throws IOException {
                return Files.newInputStream(file);
            }

            @Override
            public Path file() {
                return file;
            }

            @Override
            public boolean handedOver() {
                return handedOver;
            }
        };
    }
}
