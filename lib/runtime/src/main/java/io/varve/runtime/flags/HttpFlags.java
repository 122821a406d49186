package io.varve.runtime.flags;

import java.time.Duration;
import picocli.CommandLine.Option;

/** Flags of the HTTP server. */
public final class HttpFlags {
    /** For picocli. */
    public HttpFlags() {
    }

    @Option(names = "--http-address", paramLabel = "<host:port>", defaultValue = "0.0.0.0:10902", description = "Listen address for HTTP endpoints.")
    private String address = "0.0.0.0:10902";

    @Option(names = "--http-grace-period", paramLabel = "<duration>", converter = PrometheusDuration.class, defaultValue = "2m", description = "How long requests in flight may take after a signal to stop.")
    private Duration gracePeriod = Duration.ofMinutes(2);

    @Option(names = "--http.config", paramLabel = "<path>", defaultValue = "", description = "Not supported yet: TLS and basic authentication for HTTP.")
    private String config = "";

    /** host:port. */
    public String address() {
        return address;
    }

    /** How long requests may take after a signal to stop. */
    public Duration gracePeriod() {
        return gracePeriod;
    }

    /** @throws FlagException for what cannot be honoured */
    public void check() {
        Refuse.ifSet("http.config", config, "this build has no TLS or basic authentication for its HTTP server");
        HostPort.parse("http-address", address);
    }
}
