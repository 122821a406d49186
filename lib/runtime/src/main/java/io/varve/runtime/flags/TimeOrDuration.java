package io.varve.runtime.flags;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.OffsetDateTime;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;

/**
 * A point in time given either absolutely (RFC 3339) or as a Prometheus duration relative to now ({@code -2h}, {@code 1d}).
 *
 * @param atMillis the absolute time since 1970; meaningless where {@code offset} is given
 * @param offset the distance from now, null for an absolute time
 */
public record TimeOrDuration(long atMillis, @Nullable Duration offset) {
    /** The time in milliseconds, seen from {@code nowMillis}. */
    public long millis(long nowMillis) {
        return offset == null ? atMillis : nowMillis + offset.toMillis();
    }

    /**
     * Reads either form.
     *
     * @throws IllegalArgumentException where it is neither
     */
    public static TimeOrDuration parse(String text) {
        try {
            return new TimeOrDuration(OffsetDateTime.parse(text).toInstant().toEpochMilli(), null);
        } catch (DateTimeException notATime) {
            boolean negative = text.startsWith("-");
            Duration d = Durations.parsePrometheus(negative ? text.substring(1) : text);
            return new TimeOrDuration(0, negative ? d.negated() : d);
        }
    }

    /** For {@code @Option(converter = TimeOrDuration.Converter.class)}. */
    public static final class Converter implements ITypeConverter<TimeOrDuration> {
        /** For picocli. */
        public Converter() {
        }

        @Override
        public TimeOrDuration convert(String value) {
            return Values.orRefuse(value, TimeOrDuration::parse);
        }
    }
}
