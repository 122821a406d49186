package io.varve.runtime;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.core.spi.ContextAwareBase;

/** What logback starts with, found through {@code ServiceLoader}: our format, level info, until {@link Logs#configure} says more. */
public final class LogConfigurator extends ContextAwareBase implements Configurator {
    /** For {@code ServiceLoader}. */
    public LogConfigurator() {
    }

    @Override
    public ExecutionStatus configure(LoggerContext context) {
        Logs.configure(context, Level.INFO, false, "");
        return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
    }
}
