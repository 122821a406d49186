package io.varve.runtime;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import io.varve.runtime.flags.GlobalFlags;
import org.slf4j.LoggerFactory;

/**
 * Logs on standard error, one line per event: logfmt or JSON with {@code ts}, {@code level}, {@code caller}, {@code msg} and the key-value
 * pairs of slf4j's fluent API. Configured in code; there is no file to read.
 */
public final class Logs {
    private Logs() {
    }

    /** Sets level and format from the flags. */
    public static void configure(GlobalFlags flags) {
        if (LoggerFactory.getILoggerFactory() instanceof LoggerContext context) {
            configure(context, Level.toLevel(flags.logLevel(), Level.INFO), flags.logFormat().equals("json"), flags.debugName());
            JdkLogs.install();
        }
    }

    /** Waits until what was logged is written. */
    static void flush() {
        System.err.flush();
    }

    static void configure(LoggerContext context, Level level, boolean json, String name) {
        LogEncoder encoder = new LogEncoder(json, name);
        encoder.setContext(context);
        encoder.start();
        ConsoleAppender<ILoggingEvent> appender = new ConsoleAppender<>();
        appender.setContext(context);
        appender.setTarget("System.err");
        appender.setEncoder(encoder);
        appender.start();
        Logger root = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        root.detachAndStopAllAppenders();
        root.addAppender(appender);
        root.setLevel(level);
        // Libraries speak at debug of every frame and selector.
        Level libraries = level.isGreaterOrEqual(Level.WARN) ? level : Level.WARN;
        for (String library : new String[]{"io.grpc", "io.netty", "org.eclipse.jetty", "software.amazon", "org.apache.hc",
                "org.apache.http"}) {
            context.getLogger(library).setLevel(libraries);
        }
    }
}
