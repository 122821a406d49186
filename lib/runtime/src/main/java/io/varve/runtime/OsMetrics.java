package io.varve.runtime;

import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Process metrics of Go's client that the Java client has not: network bytes and the limit of virtual memory. Linux only. */
final class OsMetrics {
    private static final Path NETWORK = Path.of("/proc/self/net/dev");
    private static final Path LIMITS = Path.of("/proc/self/limits");

    private OsMetrics() {
    }

    static void register(PrometheusRegistry registry) {
        if (!Files.isReadable(NETWORK) || !Files.isReadable(LIMITS)) {
            return;
        }
        CounterWithCallback.builder().name("process_network_receive_bytes_total")
                .help("Number of bytes received by the process over the network.").callback(c -> c.call(networkBytes(0)))
                .register(registry);
        CounterWithCallback.builder().name("process_network_transmit_bytes_total")
                .help("Number of bytes sent by the process over the network.").callback(c -> c.call(networkBytes(8))).register(registry);
        GaugeWithCallback.builder().name("process_virtual_memory_max_bytes")
                .help("Maximum amount of virtual memory available in bytes.").callback(c -> c.call(addressSpace())).register(registry);
    }

    /** The sum of a column over all interfaces but the loopback's own traffic, which is no network. */
    private static double networkBytes(int column) {
        double sum = 0;
        try {
            for (String line : Files.readAllLines(NETWORK)) {
                int colon = line.indexOf(':');
                if (colon > 0 && !line.substring(0, colon).strip().equals("lo")) {
                    String[] numbers = line.substring(colon + 1).strip().split("\\s+", -1);
                    sum += numbers.length > column ? Double.parseDouble(numbers[column]) : 0;
                }
            }
        } catch (IOException | NumberFormatException e) {
            return 0;
        }
        return sum;
    }

    private static double addressSpace() {
        try {
            for (String line : Files.readAllLines(LIMITS)) {
                if (line.startsWith("Max address space")) {
                    String soft = line.substring("Max address space".length()).strip().split("\\s+", 2)[0];
                    return soft.equals("unlimited") ? 0x1p64 : Double.parseDouble(soft);
                }
            }
        } catch (IOException | NumberFormatException e) {
            return 0;
        }
        return 0;
    }
}
