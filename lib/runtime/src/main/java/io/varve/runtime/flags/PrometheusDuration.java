package io.varve.runtime.flags;

import java.time.Duration;
import picocli.CommandLine.ITypeConverter;

/** Reads a flag written as a Prometheus duration (d, w, y allowed). */
public final class PrometheusDuration implements ITypeConverter<Duration> {
    /** For picocli. */
    public PrometheusDuration() {
    }

    @Override
    public Duration convert(String value) {
        return Values.orRefuse(value, Durations::parsePrometheus);
    }
}
