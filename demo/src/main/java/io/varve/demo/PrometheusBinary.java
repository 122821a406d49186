package io.varve.demo;

import io.varve.model.InvalidRequestException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Finds a Prometheus on this machine, or installs Debian's package where that is possible, or says how. */
public final class PrometheusBinary {
    private PrometheusBinary() {
    }

    /**
     * @param wanted a path given by the user, "" for none
     * @throws InvalidRequestException where there is none and it cannot be installed, with what to do
     */
    public static Path find(String wanted) throws InterruptedException {
        if (!wanted.isEmpty()) {
            Path p = Path.of(wanted);
            if (Files.isExecutable(p)) {
                return p;
            }
            throw new InvalidRequestException("--prometheus: " + wanted + " is no program");
        }
        Optional<Path> found = onPath("prometheus");
        if (found.isPresent()) {
            return found.get();
        }
        boolean root = "root".equals(System.getProperty("user.name"));
        if (root && onPath("apt-get").isPresent()) {
            System.out.println("varve demo: installing Debian's package prometheus ...");
            if (run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "prometheus") != 0) {
                run("apt-get", "update", "-qq");
                run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "prometheus");
            }
            found = onPath("prometheus");
            if (found.isPresent()) {
                return found.get();
            }
        }
        throw new InvalidRequestException(
                "the demo needs a Prometheus and found none: install it (Debian, Ubuntu: sudo apt-get install prometheus; "
                        + "others: the program prometheus from prometheus.io/download) or name it with --prometheus=PATH");
    }

    private static int run(String... command) throws InterruptedException {
        try {
            ProcessBuilder b = new ProcessBuilder(List.of(command)).redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD);
            // The package would start a service of its own; the demo wants only the program.
            b.environment().put("RUNLEVEL", "1");
            b.environment().put("DEBIAN_FRONTEND", "noninteractive");
            return b.start().waitFor();
        } catch (IOException e) {
            return -1;
        }
    }

    private static Optional<Path> onPath(String program) {
        String path = System.getenv("PATH");
        for (String dir : (path == null ? "/usr/bin" : path).split(":", -1)) {
            Path p = Path.of(dir.isEmpty() ? "." : dir, program);
            if (Files.isExecutable(p) && !Files.isDirectory(p)) {
                return Optional.of(p);
            }
        }
        return Optional.empty();
    }
}
