package io.varve.objstore;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** What is uploaded: a known number of bytes that can be read more than once. */
public interface ObjectBody {
    /** Bytes. */
    long size();

    /** A fresh stream over all bytes, closed by the caller. */
    InputStream open() throws IOException;

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
        };
    }
}
