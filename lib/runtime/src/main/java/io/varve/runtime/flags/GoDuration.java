package io.varve.runtime.flags;

import java.time.Duration;
import picocli.CommandLine.ITypeConverter;

/** Reads a flag written as a Go duration: {@code @Option(names = "--x", converter = GoDuration.class) Duration x}. */
public final class GoDuration implements ITypeConverter<Duration> {
    /** For picocli. */
    public GoDuration() {
    }

    @Override
    public Duration convert(String value) {
        return Values.orRefuse(value, Durations::parseGo);
    }
}
