package io.varve.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.UnavailableException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class CountedDnsTest {
    @Test
    void aFailureIsCountedAndLeavesTheNumberOfResults() throws IOException {
        PrometheusRegistry registry = new PrometheusRegistry();
        boolean[] down = new boolean[1];
        CountedDns dns = new CountedDns(new Dns() {
            @Override
            public List<String> addresses(String host) {
                if (down[0]) {
                    throw new UnavailableException("no answer");
                }
                return List.of("10.0.0.1", "10.0.0.2");
            }

            @Override
            public List<String> services(String name) {
                return List.of();
            }
        }, "x_", registry);
        assertThat(dns.resolve("dns+a:1")).containsExactly("10.0.0.1:1", "10.0.0.2:1");
        down[0] = true;
        assertThatThrownBy(() -> dns.resolve("dns+a:1")).isInstanceOf(UnavailableException.class);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        PrometheusTextFormatWriter.builder().build().write(out, registry.scrape());
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("x_dns_lookups_total 2.0", "x_dns_failures_total 1.0",
                "x_dns_provider_results{addr=\"dns+a:1\"} 2.0");
    }
}
