package io.varve.tools;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.model.CorruptDataException;
import io.varve.model.ErrorText;
import io.varve.model.InvalidRequestException;
import io.varve.model.Matcher;
import io.varve.model.PromDuration;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.promql.parser.ParseException;
import io.varve.promql.parser.Parser;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockReader;
import io.varve.tsdb.BlockVerifier;
import io.varve.tsdb.MergedChunkSeriesSet;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code varve tools block}: look into blocks, verify, dump and make them. */
@Command(name = "block", description = "Look into blocks, verify, dump and make them.", mixinStandardHelpOptions = true, synopsisSubcommandLabel = "COMMAND")
final class BlockCommand implements Runnable {
    /** Samples held while blocks are made: 16 bytes each. */
    private static final int BATCH_SAMPLES = 8_000_000;
    /** Of the heap, samples take a sixteenth at most; the rest is for series. */
    private static final long HEAP_PER_SAMPLE = 16 * 16;

    @Spec
    @Nullable
    CommandSpec spec;

    /** How to answer. */
    enum Form {
        /** For people. */
        text,
        /** For programs. */
        json
    }

    /** Options of all commands. */
    static final class Output {
        @Option(names = {"-o", "--output"}, paramLabel = "FORM", defaultValue = "text", description = "text or json.")
        Form form = Form.text;
        @Option(names = "--progress", negatable = true, description = "Show how far the command has come on standard error; the default is to do so on a terminal.")
        @Nullable
        Boolean progress;

        boolean json() {
            return form == Form.json;
        }

        ProgressBar bar(PrintWriter err, String what, long total) {
            return new ProgressBar(err, progress == null ? ProgressBar.onTerminal() : progress, what, total);
        }
    }

    private CommandLine line() {
        if (spec == null) {
            throw new IllegalStateException("not run by picocli");
        }
        return spec.commandLine();
    }

    @Override
    public void run() {
        throw new CommandLine.ParameterException(line(), "Missing required subcommand");
    }

    /** The blocks that the arguments mean: a block's directory itself, or all blocks in a directory. */
    private static List<Path> blocks(List<Path> directories) {
        return directories.stream().flatMap(d -> {
            if (Files.exists(d.resolve(BlockMeta.FILE))
                    || Ulid.parse(String.valueOf(d.toAbsolutePath().normalize().getFileName())).isPresent()) {
                return Stream.of(d);
            }
            try (Stream<Path> list = Files.list(d)) {
                List<Path> inside = list.filter(p -> Ulid.parse(p.getFileName().toString()).isPresent()).sorted().toList();
                if (inside.isEmpty()) {
                    throw new InvalidRequestException(d + (Files.exists(d.resolve(BlockReader.INDEX))
                            ? ": a block without meta.json: it was never completed, or is being deleted"
                            : ": no block, and no blocks in it"));
                }
                return inside.stream();
            } catch (NoSuchFileException e) {
                throw new InvalidRequestException(d + ": there is no such directory", e);
            } catch (NotDirectoryException e) {
                throw new InvalidRequestException(d + ": is a file, a directory was expected", e);
            } catch (AccessDeniedException e) {
                throw new UnavailableException(d + ": permission denied", e);
            } catch (IOException e) {
                throw new UnavailableException("list " + ErrorText.of(e), e);
            }
        }).toList();
    }

    @Command(name = "inspect", description = "Say what a block holds: sizes, and the metrics and labels with most series, bytes and churn.", mixinStandardHelpOptions = true)
    int inspect(@Parameters(paramLabel = "DIR", arity = "1..*", description = "Blocks, or a directory of blocks.") List<Path> directories,
            @Option(names = "--limit", paramLabel = "N", defaultValue = "10", description = "Lines of each table.") int limit,
            @Mixin Output output) {
        PrintWriter out = line().getOut();
        boolean first = true;
        int code = 0;
        for (Path d : blocks(directories)) {
            try (BlockReader block = BlockReader.open(d)) {
                BlockInspection inspection = new BlockInspection(block);
                try (ProgressBar bar = output.bar(line().getErr(), "inspecting " + block.meta().ulid(), block.meta().stats().series())) {
                    inspection.run(bar::at);
                    bar.done();
                }
                if (output.json()) {
                    out.println(inspection.json(Math.max(0, limit)));
                } else {
                    out.print((first ? "" : System.lineSeparator()) + inspection.text(Math.max(0, limit)));
                }
                first = false;
            } catch (CorruptDataException | UnavailableException e) {
                // One bad block does not hide the others.
                out.flush();
                line().getErr().println(ErrorText.of(e));
                code = 1;
            }
        }
        return code;
    }

    @Command(name = "verify", description = "Check every rule of the format; exit 0 where all hold, 1 with rule, file and offset where one is broken.", mixinStandardHelpOptions = true)
    int verify(@Parameters(paramLabel = "DIR", arity = "1..*", description = "Blocks, or a directory of blocks.") List<Path> directories,
            @Mixin Output output) {
        int code = 0;
        for (Path d : blocks(directories)) {
            if (!verify(d, output)) {
                code = 1;
            }
        }
        return code;
    }

    private boolean verify(Path d, Output output) {
        PrintWriter out = line().getOut();
        try {
            BlockVerifier.Report r;
            try (ProgressBar bar = output.bar(line().getErr(), "verifying " + d.getFileName(), BlockMeta.read(d).stats().series())) {
                r = BlockVerifier.verify(d, bar::at);
                bar.done();
            }
            if (output.json()) {
                BlockMeta.Stats s = r.stats();
                out.println(JsonNodeFactory.instance.objectNode().put("block", d.toString()).put("ok", true).put("series", s.series())
                        .put("chunks", s.chunks()).put("samples", s.samples()).put("floatSamples", s.floatSamples())
                        .put("histogramSamples", s.histogramSamples()).put("tombstones", s.tombstones())
                        .put("unusedSymbols", r.unusedSymbols())
                        .put("seriesMaxSize", r.indexStats().seriesMaxSize()).put("chunkMaxSize", r.indexStats().chunkMaxSize()));
            } else {
                out.println(d + ": ok, " + r.stats().series() + " series, " + count(r.stats().chunks(), "chunk") + ", "
                        + count(r.stats().samples(), "sample")
                        + (r.unusedSymbols() > 0 ? ", " + count(r.unusedSymbols(), "symbol") + " that no series uses" : ""));
            }
            return true;
        } catch (CorruptDataException e) {
            if (output.json()) {
                ObjectNode n = JsonNodeFactory.instance.objectNode().put("block", d.toString()).put("ok", false).put("file", e.file());
                if (e.offset() >= 0) {
                    n.put("offset", e.offset());
                }
                out.println(n.put("rule", e.rule()));
            } else {
                line().getErr().println(ErrorText.of(e));
            }
        } catch (VarveException e) {
            if (output.json()) {
                out.println(JsonNodeFactory.instance.objectNode().put("block", d.toString()).put("ok", false).put("error", e.getMessage()));
            } else {
                line().getErr().println(ErrorText.of(e));
            }
        }
        return false;
    }

    /** A number and what it counts: {@code 1 chunk}, {@code 2 chunks}. */
    static String count(long n, String noun) {
        return n + " " + noun + (n == 1 ? "" : "s");
    }

    /** The series of one block that are in any of the sets, each once. */
    private static ChunkSeriesSet any(List<ChunkSeriesSet> sets) {
        return sets.size() == 1 ? sets.getFirst() : new MergedChunkSeriesSet(sets, (labels, chunks) -> chunks);
    }

    @Command(name = "dump", description = "Write the samples of blocks as OpenMetrics text, or with --output json one line per series. Deleted samples are left out.", mixinStandardHelpOptions = true)
    int dump(@Parameters(paramLabel = "DIR", arity = "1..*", description = "Blocks, or a directory of blocks.") List<Path> directories,
            @Option(names = "--match", paramLabel = "SELECTOR", description = "Only series that this selector selects; given more than once, those that any selects.") @Nullable List<String> match,
            @Option(names = "--min-time", paramLabel = "MILLIS", defaultValue = ""
                    + Long.MIN_VALUE, showDefaultValue = CommandLine.Help.Visibility.NEVER, description = "First time wanted, in milliseconds.") long minTime,
            @Option(names = "--max-time", paramLabel = "MILLIS", defaultValue = ""
                    + Long.MAX_VALUE, showDefaultValue = CommandLine.Help.Visibility.NEVER, description = "Last time wanted, in milliseconds.") long maxTime,
            @Mixin Output output) {
        List<List<Matcher>> selectors = match == null ? List.of(List.of()) : match.stream().map(BlockCommand::selector).toList();
        PrintWriter out = line().getOut();
        BlockDump dump = new BlockDump(out, minTime, maxTime);
        for (Path d : blocks(directories)) {
            try (BlockReader block = BlockReader.open(d);
                    ChunkSeriesSet set = any(selectors.stream().map(s -> block.select(s, minTime, maxTime, true)).toList());
                    ProgressBar bar = output.bar(line().getErr(), "dumping " + block.meta().ulid(), block.meta().stats().series())) {
                long n = 0;
                for (ChunkSeries s = set.next(); s != null; s = set.next()) {
                    if (output.json()) {
                        dump.json(s);
                    } else {
                        dump.openMetrics(s);
                    }
                    if (++n % 256 == 0) {
                        bar.at(n);
                        if (out.checkError()) {
                            throw new UnavailableException("write to standard output: it is closed");
                        }
                    }
                }
                bar.done();
            } catch (CorruptDataException e) {
                out.flush();
                throw e;
            }
        }
        if (!output.json()) {
            out.println("# EOF");
        }
        if (dump.histogramsLeftOut() > 0) {
            line().getErr().println(
                    dump.histogramsLeftOut() + " native histograms are left out, OpenMetrics text has no form for them: use --output json");
        }
        return 0;
    }

    private static List<Matcher> selector(String text) {
        try {
            return Parser.parseSelector(text);
        } catch (ParseException e) {
            throw new InvalidRequestException("--match: " + e.getMessage(), e);
        }
    }

    @Command(name = "create", description = "Make blocks of OpenMetrics text in which every sample has a time.", mixinStandardHelpOptions = true)
    int create(
            @Parameters(paramLabel = "[FILE] DIR", arity = "1..*", description = "The text, standard input where it is left out or -; and where the blocks go.") List<Path> files,
            @Option(names = "--input", paramLabel = "FILE", description = "The text; another way to name it.") @Nullable Path input,
            @Option(names = "--block-duration", paramLabel = "DURATION", defaultValue = "2h", description = "Span of time of each block, default ${DEFAULT-VALUE}.") String duration,
            @Option(names = "--label", paramLabel = "NAME=VALUE", description = "A label that every series gets, instead of its own of this name; without a value it is taken away. May be given more than once.") @Nullable List<String> label,
            @Mixin Output output) throws IOException {
        if (files.size() > 2) {
            throw new InvalidRequestException("expected a text and a directory, got also " + files.get(2));
        }
        if (input != null && files.size() > 1) {
            throw new InvalidRequestException("the text is named twice: " + input + " and " + files.getFirst());
        }
        Path directory = files.getLast();
        Path named = input != null ? input : files.size() > 1 ? files.getFirst() : null;
        Map<String, String> labels = labels(label);
        long span = span(duration);
        if (span < 1) {
            throw new InvalidRequestException("--block-duration must be at least 1ms, got " + duration);
        }
        // Null for standard input.
        Path text = named == null || named.toString().equals("-") ? null : named;
        if (text != null && !Files.exists(text)) {
            throw new InvalidRequestException(text + ": there is no such file");
        }
        if (text != null && Files.isDirectory(text)) {
            throw new InvalidRequestException(text + ": is a directory, a file with text was expected");
        }
        if (Files.exists(directory) && !Files.isDirectory(directory)) {
            throw new InvalidRequestException(directory + ": is a file, a directory for the blocks was expected");
        }
        Files.createDirectories(directory);
        Path spooled = null;
        try {
            Path read;
            if (text != null && Files.isRegularFile(text)) {
                read = text;
            } else {
                // The text may be read more than once, a pipe cannot.
                spooled = Files.createTempFile(directory, "stdin", ".tmp");
                // Where a signal ends the process, nothing behind this point runs.
                spooled.toFile().deleteOnExit();
                try (InputStream in = text == null ? System.in : Files.newInputStream(text)) {
                    Files.copy(in, spooled, StandardCopyOption.REPLACE_EXISTING);
                }
                read = spooled;
            }
            List<BlockMeta> made;
            try (ProgressBar bar = output.bar(line().getErr(), "making blocks", BlockCreation.PROGRESS_TOTAL)) {
                made = new BlockCreation(read, text == null ? "standard input" : text.toString(), labels, directory, span,
                        (int) Math.min(BATCH_SAMPLES, Runtime.getRuntime().maxMemory() / HEAP_PER_SAMPLE), new SecureRandom(), bar::at)
                        .run();
            }
            report(made, directory, output);
            return 0;
        } finally {
            if (spooled != null) {
                Files.deleteIfExists(spooled);
            }
        }
    }

    /** Name and value are separated by the first = or colon, as promtool has it; of several values of one name the last one counts. */
    private static Map<String, String> labels(@Nullable List<String> given) {
        Map<String, String> labels = new TreeMap<>();
        for (String label : given == null ? List.<String>of() : given) {
            String[] parts = label.split("[=:]", 2);
            if (parts.length < 2 || parts[0].isEmpty()) {
                throw new InvalidRequestException("--label: expected NAME=VALUE, got \"" + label + "\"");
            }
            labels.put(parts[0], parts[1]);
        }
        return labels;
    }

    private static long span(String duration) {
        try {
            return PromDuration.parse(duration);
        } catch (InvalidRequestException e) {
            throw new InvalidRequestException("--block-duration: " + e.getMessage(), e);
        }
    }

    private void report(List<BlockMeta> made, Path directory, Output output) {
        PrintWriter out = line().getOut();
        for (BlockMeta m : made) {
            if (output.json()) {
                out.println(JsonNodeFactory.instance.objectNode().put("ulid", m.ulid().toString())
                        .put("directory", directory.resolve(m.ulid().toString()).toString())
                        .put("minTime", m.minTime()).put("maxTime", m.maxTime()).put("series", m.stats().series())
                        .put("chunks", m.stats().chunks())
                        .put("samples", m.stats().samples()));
            } else {
                out.println(m.ulid() + "  " + Instant.ofEpochMilli(m.minTime()) + " to " + Instant.ofEpochMilli(m.maxTime() - 1) + ", "
                        + m.stats().series() + " series, " + count(m.stats().samples(), "sample"));
            }
        }
        if (made.isEmpty() && !output.json()) {
            out.println("no samples, no blocks");
        }
    }
}
