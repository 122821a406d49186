package io.varve.dist;

import io.varve.model.ErrorText;
import io.varve.model.UnavailableException;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A process that takes part in a training run, as the one that started it sees it: it is told and says lines. Not safe for several threads. */
final class Peer implements AutoCloseable {
    /** Marks what is said among other output. */
    private static final String MARK = "peer: ";
    private static final int END_SECONDS = 300;

    private final Process process;
    private final BufferedReader in;
    private final BufferedWriter out;

    private Peer(Process process) {
        this.process = process;
        this.in = process.inputReader(StandardCharsets.UTF_8);
        this.out = process.outputWriter(StandardCharsets.UTF_8);
    }

    /** Starts it by the launcher that started this JVM. */
    static Peer start(String... command) throws IOException {
        List<String> all = new ArrayList<>(List.of(Path.of(System.getProperty("varve.home", "."), "bin", "varve").toString()));
        all.addAll(List.of(command));
        return new Peer(new ProcessBuilder(all).redirectError(ProcessBuilder.Redirect.INHERIT).start());
    }

    /** Says a line to the process that started this one. */
    static void say(String line) {
        System.out.println(MARK + line);
        System.out.flush();
    }

    /** The next line that the peer says. */
    String hear() throws IOException {
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (line.startsWith(MARK)) {
                return line.substring(MARK.length());
            }
        }
        throw new UnavailableException("the other half of the run has ended");
    }

    /** Tells the peer a line. */
    void tell(String line) throws IOException {
        out.write(line);
        out.newLine();
        out.flush();
    }

    /** Lets it end, which takes as long as it takes to make its cache. */
    @Override
    public void close() {
        try {
            out.close();
            in.transferTo(Writer.nullWriter());
            if (process.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
                return;
            }
        } catch (IOException e) {
            System.err.println("varve train: " + ErrorText.of(e));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        process.destroyForcibly();
    }
}
