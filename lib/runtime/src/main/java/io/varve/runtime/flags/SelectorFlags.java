package io.varve.runtime.flags;

import picocli.CommandLine.Option;

/** Relabel rules over external labels that select blocks (querier: stores). */
public final class SelectorFlags {
    /** For picocli. */
    public SelectorFlags() {
    }

    @Option(names = "--selector.relabel-config-file", paramLabel = "<path>", description = "YAML file with relabel rules over external labels; what they drop is not served. $(VAR) is replaced.")
    private String relabelConfigFile = "";

    @Option(names = "--selector.relabel-config", paramLabel = "<yaml>", description = "The relabel rules themselves; excludes --selector.relabel-config-file. $(VAR) is replaced.")
    private String relabelConfig = "";

    /** Both flags. */
    public PathOrContent relabelConfig() {
        return new PathOrContent("selector.relabel-config", relabelConfigFile, relabelConfig);
    }
}
