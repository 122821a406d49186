package io.varve.runtime;

import io.varve.model.ErrorText;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.FlagParser;
import io.varve.runtime.flags.GlobalFlags;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/** Runs processes: flags, logs, start, signals, graceful end, exit code. */
public final class ProcessRunner {
    private static final Logger LOG = LoggerFactory.getLogger(ProcessRunner.class);

    private ProcessRunner() {
    }

    /** A process that {@link ProcessRunner#launch} started in this JVM. */
    public static final class Running implements AutoCloseable {
        private final ProcessContext context;
        private final AutoCloseable process;

        private Running(ProcessContext context, AutoCloseable process) {
            this.context = context;
            this.process = process;
        }

        /** What the process has. */
        public ProcessContext context() {
            return context;
        }

        /** Waits until the process is ready, not longer than that; whether it is. */
        public boolean awaitReady(Duration limit) throws InterruptedException {
            CountDownLatch ready = new CountDownLatch(1);
            context.probes().onReadyChange(is -> {
                if (is) {
                    ready.countDown();
                }
            });
            return ready.await(limit.toMillis(), TimeUnit.MILLISECONDS);
        }

        /** Waits until the process ends by itself; its exit code. */
        public int await() {
            return context.end().join();
        }

        /** Stops the process gracefully. Harmless when called again. */
        @Override
        public void close() {
            context.stop(0);
            context.close();
            try {
                process.close();
            } catch (Exception e) {
                LOG.atWarn().addKeyValue("err", ErrorText.of(e)).log("could not be stopped cleanly");
            }
        }
    }

    /**
     * Runs a process until it ends or SIGTERM or SIGINT arrives.
     *
     * @param program how it is called in help and messages: {@code varve sidecar}
     * @param args what follows on the command line
     * @return 0 after a signal or work done; 1 for bad flags, bad configuration or a failure
     */
    public static int run(String program, ProcessCommand command, PrintWriter out, PrintWriter err, String... args) {
        GlobalFlags flags = new GlobalFlags();
        CommandLine line = FlagParser.of(program, command, flags);
        line.setOut(out);
        line.setErr(err);
        try {
            line.parseArgs(args);
        } catch (ParameterException e) {
            err.println(FlagParser.complaint(e));
            err.flush();
            return 1;
        }
        if (line.isUsageHelpRequested()) {
            line.usage(out);
            out.flush();
            return 0;
        }
        if (line.isVersionHelpRequested()) {
            out.println(BuildInfo.current().describe());
            out.flush();
            return 0;
        }
        try {
            flags.check();
        } catch (FlagException e) {
            err.println(program + ": error: " + e.getMessage());
            err.flush();
            return 1;
        }
        Logs.configure(flags);
        if (flags.autoMemoryLimit()) {
            LOG.atWarn().addKeyValue("heap_bytes", Runtime.getRuntime().maxMemory())
                    .log("--enable-auto-gomemlimit has no effect: the heap of a JVM is set when it is launched");
        }
        OldGeneration.watch();
        ProcessContext context = new ProcessContext(command.component(), true);
        CountDownLatch stopped = new CountDownLatch(1);
        AtomicInteger code = new AtomicInteger();
        Thread hook = new Thread(() -> {
            // A JVM that a signal ends exits with 143 by itself; halting with our own code is the only way to 0.
            LOG.atInfo().log("received a signal, shutting down");
            context.stop(0);
            awaitUninterruptibly(stopped);
            Logs.flush();
            Runtime.getRuntime().halt(code.get());
        }, "signal");
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            code.set(runUntilEnd(command, context));
        } finally {
            stopped.countDown();
        }
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is going down; the hook ends it.
        }
        return code.get();
    }

    private static int runUntilEnd(ProcessCommand command, ProcessContext context) {
        AutoCloseable process;
        try {
            LOG.atInfo().addKeyValue("version", BuildInfo.current().version()).addKeyValue("component", command.component())
                    .log("starting");
            process = command.launch(context);
        } catch (Exception | Error e) {
            // An error, too: servers that run already would keep a process alive that does nothing.
            if (!context.end().isDone()) {
                fatal(command, e);
            }
            context.stop(1);
            context.close();
            return context.end().join();
        }
        try (Running running = new Running(context, process)) {
            int code = running.await();
            LOG.atInfo().log("shutting down");
            return code;
        } finally {
            LOG.atInfo().log("exiting");
        }
    }

    private static void fatal(ProcessCommand command, Throwable e) {
        LOG.atError().addKeyValue("err", ErrorText.of(e)).setCause(ProcessContext.unforeseen(e))
                .log(command.component() + " cannot start");
    }

    /**
     * Parses flags and starts a process in this JVM, without signals; for tests and for processes inside others.
     *
     * @throws FlagException for a command line that cannot be read
     */
    public static Running launch(ProcessCommand command, String... args) throws Exception {
        GlobalFlags flags = new GlobalFlags();
        try {
            FlagParser.of("varve " + command.component(), command, flags).parseArgs(args);
        } catch (ParameterException e) {
            throw new FlagException(FlagParser.complaint(e), e);
        }
        flags.check();
        ProcessContext context = new ProcessContext(command.component(), false);
        try {
            return new Running(context, command.launch(context));
        } catch (Exception e) {
            context.stop(1);
            context.close();
            throw e;
        }
    }

    private static void awaitUninterruptibly(CountDownLatch latch) {
        while (true) {
            try {
                latch.await();
                return;
            } catch (InterruptedException e) {
                // Only the end of the process ends this wait.
            }
        }
    }
}
