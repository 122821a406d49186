package io.varve.runtime.flags;

import picocli.CommandLine.Option;

/** Flags of every command. */
public final class GlobalFlags {
    /** For picocli. */
    public GlobalFlags() {
    }

    @Option(names = "--log.level", paramLabel = "<level>", converter = Level.class, defaultValue = "info", description = "Log filtering level: error, warn, info or debug.")
    private String logLevel = "info";

    @Option(names = "--log.format", paramLabel = "<format>", converter = Format.class, defaultValue = "logfmt", description = "Log format: logfmt or json.")
    private String logFormat = "logfmt";

    @Option(names = "--tracing.config-file", paramLabel = "<path>", description = "Not supported yet: tracing.")
    private String tracingConfigFile = "";

    @Option(names = "--tracing.config", paramLabel = "<yaml>", description = "Not supported yet: tracing.")
    private String tracingConfig = "";

    @Option(names = "--enable-auto-gomemlimit", defaultValue = "false", description = "Accepted for Thanos' manifests; a JVM has its heap from the start, and a warning says so.")
    private boolean autoMemoryLimit;

    @Option(names = "--auto-gomemlimit.ratio", paramLabel = "<ratio>", defaultValue = "0.9", description = "Belongs to --enable-auto-gomemlimit; above 0 and up to 1.")
    private double autoMemoryLimitRatio = 0.9;

    @Option(names = "--debug.name", paramLabel = "<name>", hidden = true, description = "Name added to every log line.")
    private String debugName = "";

    /** error, warn, info or debug. */
    public String logLevel() {
        return logLevel;
    }

    /** logfmt or json. */
    public String logFormat() {
        return logFormat;
    }

    /** Whether the flag was given, which has no effect here. */
    public boolean autoMemoryLimit() {
        return autoMemoryLimit;
    }

    /** A name for every log line, "" for none. */
    public String debugName() {
        return debugName;
    }

    /** @throws FlagException for what cannot be honoured */
    public void check() {
        Refuse.ifSet("tracing.config-file", tracingConfigFile, "this build has no tracing");
        Refuse.ifSet("tracing.config", tracingConfig, "this build has no tracing");
        if (logFormat.equals("journald")) {
            throw new FlagException("--log.format=journald is not supported: use logfmt or json");
        }
        if (!(autoMemoryLimitRatio > 0 && autoMemoryLimitRatio <= 1)) {
            throw new FlagException("--auto-gomemlimit.ratio must be greater than 0 and less than or equal to 1.");
        }
    }

    static final class Level extends OneOf {
        Level() {
            super("error", "warn", "info", "debug");
        }
    }

    static final class Format extends OneOf {
        Format() {
            super("logfmt", "json", "journald");
        }
    }
}
