package io.varve.runtime.flags;

import picocli.CommandLine.Option;

/** Request logging: named, and refused. */
public final class ReqlogFlags {
    /** For picocli. */
    public ReqlogFlags() {
    }

    @Option(names = "--request.logging-config-file", paramLabel = "<path>", description = "Not supported yet: request logging.")
    private String configFile = "";

    @Option(names = "--request.logging-config", paramLabel = "<yaml>", description = "Not supported yet: request logging.")
    private String config = "";

    /** @throws FlagException for what cannot be honoured */
    public void check() {
        Refuse.ifSet("request.logging-config-file", configFile, "this build has no request logging");
        Refuse.ifSet("request.logging-config", config, "this build has no request logging");
    }
}
