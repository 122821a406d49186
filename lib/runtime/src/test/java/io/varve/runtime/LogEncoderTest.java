package io.varve.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;

class LogEncoderTest {
    private final List<String> lines = new ArrayList<>();

    private Logger logger(boolean json, String name) {
        LoggerContext context = new LoggerContext();
        LogEncoder encoder = new LogEncoder(json, name);
        AppenderBase<ILoggingEvent> appender = new AppenderBase<>() {
            @Override
            protected void append(ILoggingEvent event) {
                lines.add(new String(encoder.encode(event), StandardCharsets.UTF_8).replaceAll("\\d{4}-\\S+?Z", "T"));
            }
        };
        appender.setContext(context);
        appender.start();
        ch.qos.logback.classic.Logger logger = context.getLogger("io.varve.some.Thing");
        logger.setLevel(Level.DEBUG);
        logger.addAppender(appender);
        return logger;
    }

    @Test
    void logfmtQuotesWhatNeedsIt() {
        Logger log = logger(false, "");
        log.atInfo().addKeyValue("block", "01X").addKeyValue("a b", "say \"hi\"\n\tnow\\ \u0001ü").addKeyValue("none", "")
                .log("it is done");
        assertThat(lines).containsExactly(
                "ts=T caller=Thing level=info block=01X a_b=\"say \\\"hi\\\"\\n\\tnow\\\\ \\u0001ü\" none=\"\" msg=\"it is done\"\n");
    }

    @Test
    void jsonIsOneObjectPerLine() throws Exception {
        Logger log = logger(true, "left");
        log.atError().addKeyValue("err", "x\ny").setCause(new IllegalStateException("why")).log("failed \"so\"");
        assertThat(lines).hasSize(1);
        assertThat(lines.getFirst()).endsWith("}\n").doesNotMatch("(?s).*\n.+");
        var node = new com.fasterxml.jackson.databind.ObjectMapper().readTree(lines.getFirst());
        assertThat(node.get("name").asText()).isEqualTo("left");
        assertThat(node.get("level").asText()).isEqualTo("error");
        assertThat(node.get("err").asText()).isEqualTo("x\ny");
        assertThat(node.get("msg").asText()).isEqualTo("failed \"so\"");
        assertThat(node.get("stack").asText()).startsWith("java.lang.IllegalStateException: why");
    }

    @Test
    void whatLibrariesLogByTheJdksMeansHasTheSameForm() {
        var logger = ((ch.qos.logback.classic.LoggerContext) org.slf4j.LoggerFactory.getILoggerFactory()).getLogger("some.library.Thing");
        var events = new ch.qos.logback.core.read.ListAppender<ch.qos.logback.classic.spi.ILoggingEvent>();
        events.start();
        logger.addAppender(events);
        JdkLogs.install();
        java.util.logging.Logger.getLogger("some.library.Thing").log(java.util.logging.Level.WARNING, "lost {0} of {1}",
                new Object[]{1, 2});
        assertThat(events.list).hasSize(1);
        assertThat(events.list.getFirst().getLevel()).isEqualTo(Level.WARN);
        assertThat(events.list.getFirst().getFormattedMessage()).isEqualTo("lost 1 of 2");
    }
}
