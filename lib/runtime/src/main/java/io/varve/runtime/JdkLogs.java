package io.varve.runtime;

import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.SimpleFormatter;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Hands what libraries log by the JDK's own means (gRPC does) to the process's log, so that every line has its format and level. */
final class JdkLogs extends Handler {
    /** Warns, with a stack trace, of each stream that its caller cancels. */
    private static final String STREAMS = "io.grpc.netty.NettyServerHandler";

    private final SimpleFormatter texts = new SimpleFormatter();

    private JdkLogs() {
    }

    /** In place of every handler there is. */
    static void install() {
        LogManager.getLogManager().reset();
        java.util.logging.Logger root = java.util.logging.Logger.getLogger("");
        root.setLevel(Level.INFO);
        root.addHandler(new JdkLogs());
    }

    @Override
    public void publish(LogRecord r) {
        String name = r.getLoggerName() == null ? "jdk" : r.getLoggerName();
        Logger log = LoggerFactory.getLogger(name);
        int level = r.getLevel().intValue();
        var event = level >= Level.SEVERE.intValue()
                ? log.atError()
                : level < Level.INFO.intValue() || name.equals(STREAMS)
                        ? log.atDebug()
                        : level >= Level.WARNING.intValue() ? log.atWarn() : log.atInfo();
        if (r.getThrown() != null) {
            event = event.setCause(r.getThrown());
        }
        event.log(texts.formatMessage(r));
    }

    @Override
    public void flush() {
        // The process's log writes at once.
    }

    @Override
    public void close() {
        // Nothing is held.
    }
}
