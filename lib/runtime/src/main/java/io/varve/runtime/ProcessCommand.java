package io.varve.runtime;

/**
 * A process: a class annotated as a picocli command whose fields are its flags (the flags of every process, those of
 * {@link io.varve.runtime.flags.GlobalFlags} and {@code --help}, come from the runner).
 *
 * <pre>{@code
 * &#64;Command(name = "sidecar", description = "…")
 * public final class SidecarCommand implements ProcessCommand {
 *     &#64;Mixin private HttpFlags http = new HttpFlags();
 *     &#64;Option(names = "--tsdb.path", defaultValue = "./data", description = "…") private Path tsdb = Path.of("./data");
 *
 *     public AutoCloseable launch(ProcessContext context) { … }
 * }
 * }</pre>
 */
public interface ProcessCommand {
    /** The component's name in {@code thanos_status} and the Info service: {@code sidecar}, {@code store}, {@code query}, {@code compact}. */
    String component();

    /**
     * Checks the flags, starts everything and returns; called once, after the flags were parsed. What it registers with
     * {@link ProcessContext#onStop} is stopped as well, so that the result may be empty.
     *
     * @throws io.varve.runtime.flags.FlagException for flags or configuration that cannot be used: one line, exit 1
     * @throws Exception for anything else that keeps the process from starting: one line, exit 1
     */
    AutoCloseable launch(ProcessContext context) throws Exception;
}
