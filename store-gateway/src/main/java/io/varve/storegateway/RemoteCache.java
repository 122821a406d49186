package io.varve.storegateway;

import java.io.IOException;
import java.util.Collection;
import java.util.Map;

/**
 * A cache of bytes by key, shared between processes or not. It never fails: what cannot be had in time is not found, what cannot be stored is
 * dropped. Safe for many threads.
 */
interface RemoteCache extends AutoCloseable {
    /** The server answers, but that it will not do what it was asked. */
    final class ServerErrorException extends IOException {
        private static final long serialVersionUID = 1L;

        ServerErrorException(String answer) {
            super(answer);
        }
    }

    /** Those of the keys that are there. Waits for a server at most as long as its configuration says, and not at all for one that is down. */
    Map<String, byte[]> getAll(Collection<String> keys);

    /** Stores in the background. */
    void set(String key, byte[] value, long ttlSeconds);

    @Override
    void close();
}
