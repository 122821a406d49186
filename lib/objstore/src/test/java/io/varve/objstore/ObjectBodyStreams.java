package io.varve.objstore;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/** Streams for bodies that are not what they say. */
final class ObjectBodyStreams {
    private ObjectBodyStreams() {
    }

    static InputStream of(String content) {
        return new ByteArrayInputStream(content.getBytes(StandardCharsets.UTF_8));
    }
}
