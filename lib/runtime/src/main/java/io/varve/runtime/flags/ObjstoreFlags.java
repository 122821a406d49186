package io.varve.runtime.flags;

import picocli.CommandLine.Option;

/** The bucket's configuration. */
public final class ObjstoreFlags {
    /** For picocli. */
    public ObjstoreFlags() {
    }

    @Option(names = "--objstore.config-file", paramLabel = "<path>", description = "YAML file with the object store's configuration. $(VAR) is replaced from the environment.")
    private String configFile = "";

    @Option(names = "--objstore.config", paramLabel = "<yaml>", description = "The object store's configuration itself; excludes --objstore.config-file. $(VAR) is replaced from the environment.")
    private String config = "";

    /** Both flags. */
    public PathOrContent config() {
        return new PathOrContent("objstore.config", configFile, config);
    }
}
