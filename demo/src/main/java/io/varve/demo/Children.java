package io.varve.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The processes the demo started: ends them all, newest first, politely and then for good. Each writes to a log of its own. Closing may
 * come from a shutdown hook while starting goes on; nothing is started after that.
 */
final class Children implements AutoCloseable {
    private final Path logs;
    private final Map<String, Process> running = new LinkedHashMap<>();
    private final Map<String, List<String>> commands = new LinkedHashMap<>();
    private boolean closed;

    Children(Path logs) {
        this.logs = logs;
    }

    /** Starts a process; its output goes to {@code <name>.log}. */
    synchronized Process start(String name, List<String> command) throws IOException {
        if (closed) {
            throw new IOException("the demo is stopping");
        }
        Files.createDirectories(logs);
        Process p = new ProcessBuilder(command).redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log(name).toFile())).start();
        running.put(name, p);
        commands.put(name, List.copyOf(command));
        return p;
    }

    /** Where a process writes. */
    Path log(String name) {
        return logs.resolve(name + ".log");
    }

    /** The name of a process that has ended by itself, "" where all run. */
    synchronized String dead() {
        for (Map.Entry<String, Process> e : running.entrySet()) {
            if (!e.getValue().isAlive()) {
                return e.getKey();
            }
        }
        return "";
    }

    /** Ends one process, with SIGTERM or with SIGKILL, waits for it and returns its exit code. */
    int stop(String name, boolean kill) throws InterruptedException {
        Process p;
        synchronized (this) {
            p = running.remove(name);
        }
        if (p == null) {
            throw new IllegalArgumentException("no process " + name + " runs");
        }
        if (kill) {
            p.destroyForcibly().waitFor();
        } else {
            end(List.of(p));
        }
        return p.exitValue();
    }

    /** Starts a process again that was stopped, with the same command line. */
    void restart(String name) throws IOException {
        List<String> command;
        synchronized (this) {
            command = commands.get(name);
        }
        if (command == null) {
            throw new IllegalArgumentException("no process " + name + " was started");
        }
        start(name, command);
    }

    /** The operating system's number of a running process. */
    synchronized long pid(String name) {
        Process p = running.get(name);
        if (p == null) {
            throw new IllegalArgumentException("no process " + name + " runs");
        }
        return p.pid();
    }

    @Override
    public void close() {
        List<Process> all;
        synchronized (this) {
            closed = true;
            all = new ArrayList<>(running.values()).reversed();
            running.clear();
        }
        try {
            end(all);
        } catch (InterruptedException e) {
            all.forEach(Process::destroyForcibly);
            Thread.currentThread().interrupt();
        }
    }

    private static void end(List<Process> processes) throws InterruptedException {
        processes.forEach(Process::destroy);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(15);
        for (Process p : processes) {
            if (!p.waitFor(Math.max(1, deadline - System.nanoTime()), TimeUnit.NANOSECONDS)) {
                p.descendants().forEach(ProcessHandle::destroyForcibly);
                p.destroyForcibly().waitFor();
            }
        }
    }
}
