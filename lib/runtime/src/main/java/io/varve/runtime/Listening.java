package io.varve.runtime;

import java.io.IOException;
import java.net.BindException;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens sockets that listen. An address that is taken is tried again for a moment: a process that is being replaced may not be quite gone, and a
 * client's connection may have got the port by chance.
 */
public final class Listening {
    private static final Logger LOG = LoggerFactory.getLogger(Listening.class);
    private static final Duration PATIENCE = Duration.ofSeconds(3);
    private static final Duration PAUSE = Duration.ofMillis(100);

    private Listening() {
    }

    /** Opens a socket. */
    public interface Opener<T> {
        T open() throws IOException;
    }

    /**
     * Opens a socket, where its address is taken again and again for three seconds.
     *
     * @throws IOException the last error, {@link BindException} or with such a cause where the address stayed taken
     */
    public static <T> T open(String address, Opener<T> opener) throws IOException {
        long begin = System.nanoTime();
        boolean said = false;
        while (true) {
            try {
                return opener.open();
            } catch (IOException e) {
                if (!(e instanceof BindException || e.getCause() instanceof BindException)
                        || System.nanoTime() - begin >= PATIENCE.toNanos()) {
                    throw e;
                }
                if (!said) {
                    LOG.atWarn().addKeyValue("address", address).log("address is taken, trying again for a moment");
                    said = true;
                }
            }
            try {
                Thread.sleep(PAUSE);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
        }
    }
}
