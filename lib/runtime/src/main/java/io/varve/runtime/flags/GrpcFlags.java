package io.varve.runtime.flags;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** Flags of the gRPC server. */
public final class GrpcFlags {
    private static final String NO_TLS = "this build has no TLS for its gRPC server";

    /** For picocli. */
    public GrpcFlags() {
    }

    @Option(names = "--grpc-address", paramLabel = "<host:port>", defaultValue = "0.0.0.0:10901", description = "Listen address for gRPC.")
    private String address = "0.0.0.0:10901";

    @Option(names = "--grpc-server-tls-cert", paramLabel = "<path>", defaultValue = "", description = "Not supported yet: TLS.")
    private String tlsCert = "";

    @Option(names = "--grpc-server-tls-key", paramLabel = "<path>", defaultValue = "", description = "Not supported yet: TLS.")
    private String tlsKey = "";

    @Option(names = "--grpc-server-tls-client-ca", paramLabel = "<path>", defaultValue = "", description = "Not supported yet: TLS.")
    private String tlsClientCa = "";

    @Option(names = "--grpc-server-tls-min-version", paramLabel = "<version>", converter = TlsVersion.class, defaultValue = "1.3", description = "Least TLS version, 1.0 to 1.3; without a certificate, as in Thanos, it has nothing to act on.")
    private String tlsMinVersion = "1.3";

    @Option(names = "--grpc-server-tls-ciphers", paramLabel = "<cipher>", description = "Not supported yet: TLS. Repeatable.")
    private List<String> tlsCiphers = new ArrayList<>();

    @Option(names = "--grpc-server-tls-curves", paramLabel = "<curve>", description = "Not supported yet: TLS. Repeatable.")
    private List<String> tlsCurves = new ArrayList<>();

    @Option(names = "--grpc-server-max-connection-age", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "60m", description = "The greatest age of a connection; older ones are closed once their calls have ended.")
    private Duration maxConnectionAge = Duration.ofMinutes(60);

    @Option(names = "--grpc-grace-period", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "2m", description = "How long calls in flight may take after a signal to stop.")
    private Duration gracePeriod = Duration.ofMinutes(2);

    /** host:port. */
    public String address() {
        return address;
    }

    /** After how long a connection is closed; zero or less for never. */
    public Duration maxConnectionAge() {
        return maxConnectionAge;
    }

    /** How long calls may take after a signal to stop. */
    public Duration gracePeriod() {
        return gracePeriod;
    }

    /** @throws FlagException for what cannot be honoured */
    public void check() {
        Refuse.ifSet("grpc-server-tls-cert", tlsCert, NO_TLS);
        Refuse.ifSet("grpc-server-tls-key", tlsKey, NO_TLS);
        Refuse.ifSet("grpc-server-tls-client-ca", tlsClientCa, NO_TLS);
        Refuse.ifSet("grpc-server-tls-ciphers", tlsCiphers, NO_TLS);
        Refuse.ifSet("grpc-server-tls-curves", tlsCurves, NO_TLS);
        HostPort.parse("grpc-address", address);
    }

    /** TLS versions as flags name them. */
    public static final class TlsVersion extends OneOf {
        /** For picocli. */
        public TlsVersion() {
            super("1.0", "1.1", "1.2", "1.3");
        }
    }
}
