package io.varve.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.InvalidRequestException;
import io.varve.model.UnavailableException;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What addresses with a prefix become, and how a real name server's answers are read. */
class DnsTest {
    private static final Dns KNOWN = new Dns() {
        @Override
        public List<String> addresses(String host) {
            List<String> out = Map.of("a.example", List.of("10.0.0.2", "10.0.0.1"), "b.example", List.of("fd00::1", "10.0.0.1")).get(host);
            if (out == null) {
                throw new UnavailableException("no such host " + host);
            }
            return out;
        }

        @Override
        public List<String> services(String name) {
            return name.equals("_grpc._tcp.example") ? List.of("b.example:9", "a.example:8") : List.of();
        }
    };

    @Test
    void prefixesSayWhatIsLookedUp() {
        assertThat(KNOWN.resolve("dns+a.example:1")).containsExactly("10.0.0.1:1", "10.0.0.2:1");
        assertThat(KNOWN.resolve("dnsdualstack+b.example:1")).containsExactly("10.0.0.1:1", "[fd00::1]:1");
        assertThat(KNOWN.resolve("dnssrv+_grpc._tcp.example")).containsExactly("10.0.0.1:8", "10.0.0.1:9", "10.0.0.2:8", "[fd00::1]:9");
        assertThat(KNOWN.resolve("dnssrvnoa+_grpc._tcp.example")).containsExactly("a.example:8", "b.example:9");
        assertThat(KNOWN.resolve("dnssrv+_other._tcp.example")).isEmpty();
    }

    @Test
    void aPortBehindAServiceStandsInForItsRecords() {
        assertThat(KNOWN.resolve("dnssrvnoa+_grpc._tcp.example:77")).containsExactly("a.example:77", "b.example:77");
        assertThat(KNOWN.resolve("dnssrv+_grpc._tcp.example:77")).containsExactly("10.0.0.1:77", "10.0.0.2:77", "[fd00::1]:77");
    }

    @Test
    void whatCannotBeLookedUpIsSaid() {
        assertThatThrownBy(() -> KNOWN.resolve("dns+a.example")).isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("missing port");
        assertThatThrownBy(() -> KNOWN.resolve("dns+c.example:1")).isInstanceOf(UnavailableException.class);
        assertThatThrownBy(() -> Dns.SYSTEM.addresses("no.such.host.invalid")).isInstanceOf(UnavailableException.class)
                .hasMessageContaining("no.such.host.invalid");
    }

    @Test
    void onlyPrefixesAreLookedUp() {
        assertThat(List.of("dns+x:1", "dnssrv+x", "dnssrvnoa+x", "dnsdualstack+x:1")).allMatch(Dns::isDynamic);
        assertThat(List.of("x:1", "dns.example:1", "dnssrv.example:1")).noneMatch(Dns::isDynamic);
        assertThat(Dns.SYSTEM.addresses("127.0.0.1")).containsExactly("127.0.0.1");
    }

    @Test
    void servicesAreReadFromANameServer() throws IOException {
        try (NameServer server = new NameServer()) {
            Dns dns = new SystemDns("dns://127.0.0.1:" + server.port() + "/");
            assertThat(dns.services("two.example")).containsExactlyInAnyOrder("127.0.0.1:10901", "127.0.0.1:10902");
            assertThat(dns.resolve("dnssrv+two.example")).containsExactly("127.0.0.1:10901", "127.0.0.1:10902");
            assertThatThrownBy(() -> dns.services("none.example")).isInstanceOf(UnavailableException.class)
                    .hasMessageContaining("no such host");
        }
    }

    /** Answers {@code two.example} with two SRV records, all else with "no such name". */
    private static final class NameServer implements AutoCloseable {
        private final DatagramSocket socket = new DatagramSocket(0, InetAddress.getLoopbackAddress());

        NameServer() throws SocketException {
            Thread.ofVirtual().start(() -> {
                try {
                    while (true) {
                        DatagramPacket p = new DatagramPacket(new byte[512], 512);
                        socket.receive(p);
                        byte[] answer = answer(Arrays.copyOf(p.getData(), p.getLength()));
                        socket.send(new DatagramPacket(answer, answer.length, p.getSocketAddress()));
                    }
                } catch (IOException e) {
                    // Closed.
                }
            });
        }

        int port() {
            return socket.getLocalPort();
        }

        private static byte[] answer(byte[] query) throws IOException {
            int end = 12;
            while (query[end] != 0) {
                end += query[end] + 1;
            }
            end += 5;
            boolean known = new String(query, 13, 3, StandardCharsets.US_ASCII).equals("two");
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            DataOutputStream out = new DataOutputStream(bytes);
            out.write(query, 0, 2);
            out.writeShort(known ? 0x8580 : 0x8583);
            out.writeShort(1);
            out.writeShort(known ? 2 : 0);
            out.writeInt(0);
            out.write(query, 12, end - 12);
            for (int i = 1; known && i <= 2; i++) {
                out.writeShort(0xC00C); // the name of the question
                out.writeShort(33); // SRV
                out.writeShort(1);
                out.writeInt(60);
                // Priority, weight, port, and the labels 127, 0, 0, 1.
                out.writeShort(6 + 11);
                out.writeShort(1);
                out.writeShort(1);
                out.writeShort(10900 + i);
                for (String label : List.of("127", "0", "0", "1")) {
                    out.writeByte(label.length());
                    out.writeBytes(label);
                }
                out.writeByte(0);
            }
            return bytes.toByteArray();
        }

        @Override
        public void close() {
            socket.close();
        }
    }
}
