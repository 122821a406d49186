package io.varve.tools;

import io.varve.model.ErrorText;
import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;

/** {@code varve tools}: commands that start no server. Exit 0 where all is well, 1 where it is not. */
@Command(name = "tools", description = "Work on blocks and PromQL.", mixinStandardHelpOptions = true, synopsisSubcommandLabel = "COMMAND", subcommands = {
        BlockCommand.class, PromqlCommand.class})
public final class ToolsCommand {
    /** For picocli. */
    public ToolsCommand() {
    }

    /**
     * Runs a command line (without {@code tools}) and gives the exit code.
     *
     * @param version what {@code --version} shows, of every command
     */
    public static int run(IVersionProvider version, PrintWriter out, PrintWriter err, String... args) {
        CommandLine line = new CommandLine(new ToolsCommand()).setCommandName("varve tools").setOut(out).setErr(err);
        provide(version, line);
        line.setExecutionExceptionHandler((e, command, parsed) -> {
            command.getErr().println(ErrorText.of(e));
            return 1;
        });
        line.setParameterExceptionHandler((e, parsed) -> {
            CommandLine command = e.getCommandLine();
            command.getErr().println(e.getMessage());
            command.usage(command.getErr());
            return 1;
        });
        if (args.length == 0) {
            line.usage(err);
            return 1;
        }
        int code = line.execute(args);
        out.flush();
        err.flush();
        return code;
    }

    private static void provide(IVersionProvider version, CommandLine line) {
        line.getCommandSpec().versionProvider(version);
        line.getSubcommands().values().forEach(s -> provide(version, s));
    }
}
