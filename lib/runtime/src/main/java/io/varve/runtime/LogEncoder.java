package io.varve.runtime;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.encoder.EncoderBase;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import org.slf4j.event.KeyValuePair;

/** One line per event, logfmt or JSON. The caller is the logger's class: it costs no walk of the stack. */
final class LogEncoder extends EncoderBase<ILoggingEvent> {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSS'Z'", Locale.ROOT)
            .withZone(ZoneOffset.UTC);
    private final boolean json;
    private final String name;

    LogEncoder(boolean json, String name) {
        this.json = json;
        this.name = name;
    }

    @Override
    public byte[] headerBytes() {
        return new byte[0];
    }

    @Override
    public byte[] footerBytes() {
        return new byte[0];
    }

    @Override
    public byte[] encode(ILoggingEvent event) {
        StringBuilder sb = new StringBuilder(160);
        if (json) {
            sb.append('{');
        }
        Instant at = event.getInstant() == null ? Instant.ofEpochMilli(event.getTimeStamp()) : event.getInstant();
        if (!name.isEmpty()) {
            field(sb, "name", name);
        }
        field(sb, "ts", TIME.format(at));
        field(sb, "caller", caller(event.getLoggerName()));
        field(sb, "level", level(event.getLevel()));
        List<KeyValuePair> pairs = event.getKeyValuePairs();
        if (pairs != null) {
            for (KeyValuePair p : pairs) {
                field(sb, p.key, String.valueOf(p.value));
            }
        }
        field(sb, "msg", event.getFormattedMessage());
        IThrowableProxy thrown = event.getThrowableProxy();
        if (thrown != null) {
            field(sb, "stack", ThrowableProxyUtil.asString(thrown));
        }
        if (json) {
            sb.append('}');
        }
        return sb.append('\n').toString().getBytes(StandardCharsets.UTF_8);
    }

    private void field(StringBuilder sb, String key, String value) {
        if (json) {
            if (sb.length() > 1) {
                sb.append(',');
            }
            sb.append('"');
            JsonStringEncoder.getInstance().quoteAsString(key, sb);
            sb.append("\":\"");
            JsonStringEncoder.getInstance().quoteAsString(value, sb);
            sb.append('"');
        } else {
            if (!sb.isEmpty()) {
                sb.append(' ');
            }
            appendKey(sb, key);
            sb.append('=');
            appendValue(sb, value);
        }
    }

    private static void appendKey(StringBuilder sb, String key) {
        for (int i = 0; i < key.length(); i++) {
            char c = key.charAt(i);
            sb.append(c <= ' ' || c == '=' || c == '"' || c == 0x7F ? '_' : c);
        }
    }

    private static void appendValue(StringBuilder sb, String value) {
        boolean quote = value.isEmpty();
        for (int i = 0; i < value.length() && !quote; i++) {
            char c = value.charAt(i);
            quote = c <= ' ' || c == '=' || c == '"' || c == 0x7F;
        }
        if (!quote) {
            sb.append(value);
            return;
        }
        sb.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '"' -> sb.append("\\\"");
                case '\\' -> sb.append("\\\\");
                case '\n' -> sb.append("\\n");
                case '\r' -> sb.append("\\r");
                case '\t' -> sb.append("\\t");
                default -> {
                    if (c < ' ' || c == 0x7F) {
                        sb.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
                    } else {
                        sb.append(c);
                    }
                }
            }
        }
        sb.append('"');
    }

    private static String caller(String logger) {
        return logger.substring(logger.lastIndexOf('.') + 1);
    }

    private static String level(Level level) {
        return level.levelStr.toLowerCase(Locale.ROOT);
    }
}
