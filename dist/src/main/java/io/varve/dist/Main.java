package io.varve.dist;

import io.varve.compactor.CompactCommand;
import io.varve.demo.DemoCommand;
import io.varve.querier.QueryCommand;
import io.varve.runtime.BuildInfo;
import io.varve.runtime.ProcessCommand;
import io.varve.runtime.ProcessRunner;
import io.varve.sidecar.SidecarCommand;
import io.varve.storegateway.StoreCommand;
import io.varve.tools.ToolsCommand;
import java.io.BufferedWriter;
import java.io.OutputStreamWriter;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine;

/** The one entry point: the first argument names the process, the rest is its command line. */
public final class Main {
    private static final String USAGE = """
            usage: varve <command> [<flags>]

            Long-term storage and a global query layer for Prometheus; speaks Thanos' wire, bucket, flags and metric names.

              sidecar   serves the data of the Prometheus beside it and uploads its blocks
              store     store gateway: serves the blocks of a bucket
              query     querier: PromQL over sidecars, store gateways and other queriers
              compact   merges, downsamples and retains the blocks of a bucket
              tools     works on blocks and PromQL from the command line
              demo      runs the whole system on this machine

            "varve <command> --help" shows a command's flags, "varve --version" the version.
            """;

    private Main() {
    }

    /** Runs a process and exits with its code: 0 after a graceful stop or work done, 1 after an error. */
    public static void main(String[] args) {
        // Only the running process' classes are loaded: a start is measured in class files.
        int code = args.length == 0 ? usage(System.err, 1) : run(args[0], Arrays.copyOfRange(args, 1, args.length));
        System.out.flush();
        System.exit(code);
    }

    private static int run(String command, String[] args) {
        return switch (command) {
            case "sidecar" -> process(new SidecarCommand(), command, args);
            case "store" -> process(new StoreCommand(), command, args);
            case "query" -> process(new QueryCommand(), command, args);
            case "compact" -> process(new CompactCommand(), command, args);
            case "tools" -> tools(args);
            case "demo" -> demo(args);
            case "train" -> Training.run(args.length > 0 ? args[0] : "");
            case "--version", "version" -> {
                System.out.println(BuildInfo.current().describe());
                yield 0;
            }
            case "--help", "-h", "help" -> usage(System.out, 0);
            default -> {
                System.err.println("varve: error: unknown command \"" + command + "\", try \"varve --help\"");
                yield 1;
            }
        };
    }

    private static int process(ProcessCommand process, String command, String[] args) {
        PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
        PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
        return ProcessRunner.run("varve " + command, process, out, err, args);
    }

    private static int tools(String[] args) {
        PrintWriter out = new PrintWriter(new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8)));
        return ToolsCommand.run(Main::version, out, new PrintWriter(System.err, true, StandardCharsets.UTF_8), args);
    }

    private static int demo(String[] args) {
        CommandLine line = new CommandLine(new DemoCommand()).setCommandName("varve demo").setParameterExceptionHandler((e, parsed) -> {
            System.err.println("varve demo: error: " + e.getMessage() + ", try --help");
            return 1;
        });
        line.getCommandSpec().versionProvider(Main::version);
        return line.execute(args);
    }

    private static String[] version() {
        return new String[]{BuildInfo.current().describe()};
    }

    private static int usage(PrintStream out, int code) {
        out.print(USAGE);
        return code;
    }
}
