package io.varve.runtime.flags;

import io.varve.runtime.BuildInfo;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;

/** {@code --help} and {@code --version}. */
final class HelpFlags implements IVersionProvider {
    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help and end.")
    private boolean help;

    @Option(names = "--version", versionHelp = true, description = "Show the version and end.")
    private boolean version;

    @Override
    public String[] getVersion() {
        return new String[]{BuildInfo.current().describe()};
    }
}
