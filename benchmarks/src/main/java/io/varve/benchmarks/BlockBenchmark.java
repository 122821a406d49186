package io.varve.benchmarks;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.tsdb.BlockMerger;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockReader;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Ulid;
import io.varve.tsdb.index.ByteRegion;
import io.varve.tsdb.index.IndexReader;
import io.varve.tsdb.index.Postings;
import io.varve.tsdb.index.PostingsPlan;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Whole blocks: opening an index, finding values, merging beside copying. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 3, time = 3)
@Fork(1)
@State(Scope.Benchmark)
public class BlockBenchmark {
    private static final int BLOCKS = 5;
    private static final int SAMPLES = 120;

    /** Series of each block. 400,000 make an index of about 100 MB. */
    @Param("100000")
    public int series;

    private Path directory = Path.of("");
    private Path copies = Path.of("");
    private final List<Path> paths = new ArrayList<>();
    private final List<BlockReader> blocks = new ArrayList<>();
    private int round;

    /** Writes five blocks that follow each other, with the same series. */
    @Setup
    public void setup() throws IOException {
        directory = Files.createTempDirectory("varve-bench-");
        copies = directory.resolve("copies");
        Files.createDirectories(copies);
        for (int b = 0; b < BLOCKS; b++) {
            Ulid ulid = new Ulid(b + 1, 0);
            SplittableRandom random = new SplittableRandom(b);
            try (BlockWriter writer = BlockWriter.create(directory, ulid)) {
                for (int s = 0; s < series; s++) {
                    Labels labels = Labels.of("__name__", "requests_total", "instance", String.format("host-%06d:9100", s), "job",
                            "job-" + s % 50, "path", "/api/v1/" + s % 1000);
                    List<Chunk> chunks = new ArrayList<>();
                    ChunkAppender appender = ChunkAppender.plain(SAMPLES, chunks::add);
                    double v = random.nextInt(1000);
                    for (int i = 0; i < SAMPLES; i++) {
                        v += random.nextInt(10);
                        appender.append(b * 7_200_000L + i * 60_000L, v);
                    }
                    appender.cut();
                    writer.add(labels, chunks);
                }
                writer.commit(
                        new BlockMeta(ulid, b * 7_200_000L, (b + 1) * 7_200_000L, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(ulid)));
            }
            paths.add(directory.resolve(ulid.toString()));
            blocks.add(BlockReader.open(paths.getLast()));
        }
    }

    /** Removes what was written. */
    @TearDown
    public void tearDown() throws IOException {
        blocks.forEach(BlockReader::close);
        delete(directory);
    }

    /** Removes the results of one iteration. */
    @TearDown(Level.Iteration)
    public void clean() throws IOException {
        delete(copies);
        Files.createDirectories(copies);
    }

    private static void delete(Path tree) throws IOException {
        try (Stream<Path> walk = Files.walk(tree)) {
            for (Path p : walk.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(p);
            }
        }
    }

    /** Opens and checks an index. */
    @Benchmark
    public long openIndex() {
        try (Arena arena = Arena.ofShared()) {
            return IndexReader.open(ByteRegion.map(paths.getFirst().resolve(BlockReader.INDEX), "index", arena)).heapBytes();
        }
    }

    /** Values of a label with as many values as series, by a regex with a prefix: only those are visited. */
    @Benchmark
    public long valuesByPrefix() {
        return PostingsPlan.of(blocks.getFirst().index().table(), List.of(Matcher.of(Matcher.Type.REGEX, "instance", "host-0000.*")))
                .bytes();
    }

    /** The same, read and united. */
    @Benchmark
    public int postingsByPrefix() {
        Postings p = blocks.getFirst().index().postings(List.of(Matcher.of(Matcher.Type.REGEX, "instance", "host-0000.*")));
        return p.toArray().length;
    }

    /** Five blocks that do not overlap become one, synced, with as many threads as the compactor takes. */
    @Benchmark
    public long merge() {
        BlockMerger.Options options = BlockMerger.Options.DEFAULT.withThreads(Runtime.getRuntime().availableProcessors());
        return BlockMerger.merge(blocks, copies, new Ulid(100, round++), options).orElseThrow().stats().samples();
    }

    /** The same files, copied and synced: what merging is compared with. */
    @Benchmark
    public long copyFiles() throws IOException {
        long bytes = 0;
        int n = round++;
        for (Path block : paths) {
            for (String file : List.of("index", "chunks/000001")) {
                Path to = copies.resolve(n + "-" + block.getFileName() + file.replace('/', '-'));
                try (FileChannel in = FileChannel.open(block.resolve(file));
                        FileChannel out = FileChannel.open(to,
                                StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                    long size = in.size();
                    for (long done = 0; done < size;) {
                        done += in.transferTo(done, size - done, out);
                    }
                    out.force(true);
                    bytes += size;
                }
            }
        }
        return bytes;
    }
}
