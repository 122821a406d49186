package io.varve.tools;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;

/**
 * Samples in a temporary file, those of one span of time to be found without reading the others: each batch of them is written sorted by span.
 * Within span and series they keep their order. One thread.
 */
final class SampleSpool implements AutoCloseable {
    /** Number of the series, time, bits of the value. */
    private static final int RECORD = 4 + 8 + 8;
    private static final int MAX_BATCH = 1 << 20;
    private static final int BUFFER = 50_000 * RECORD;

    /** Receives samples. */
    @FunctionalInterface
    interface Sink {
        /** @param rank the series' place among all, in their order */
        void sample(int rank, long time, double value);
    }

    /** Where samples of one span lie. */
    private record Extent(long offset, int samples) {
    }

    private final FileChannel file;
    private final TreeMap<Long, List<Extent>> extents = new TreeMap<>();
    private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER);
    private int[] ranks = new int[0];
    private long[] spans;
    private int[] ids;
    private long[] times;
    private double[] values;
    private int batched;
    private long size;

    /** @param batchSamples how many samples to hold at most */
    SampleSpool(Path directory, int batchSamples) throws IOException {
        int batch = Math.min(batchSamples, MAX_BATCH);
        spans = new long[batch];
        ids = new int[batch];
        times = new long[batch];
        values = new double[batch];
        file = FileChannel.open(Files.createTempFile(directory, "samples", ".tmp"), StandardOpenOption.READ, StandardOpenOption.WRITE,
                StandardOpenOption.DELETE_ON_CLOSE);
    }

    void add(long span, int series, long time, double value) throws IOException {
        if (batched == ids.length) {
            flush();
        }
        spans[batched] = span;
        ids[batched] = series;
        times[batched] = time;
        values[batched++] = value;
        size++;
    }

    private void flush() throws IOException {
        TreeMap<Long, int[]> places = new TreeMap<>();
        for (int i = 0; i < batched; i++) {
            places.computeIfAbsent(spans[i], s -> new int[1])[0]++;
        }
        long at = file.size();
        int first = 0;
        for (var e : places.entrySet()) {
            int n = e.getValue()[0];
            extents.computeIfAbsent(e.getKey(), s -> new ArrayList<>()).add(new Extent(at + (long) first * RECORD, n));
            e.getValue()[0] = first;
            first += n;
        }
        ByteBuffer records = ByteBuffer.allocate(batched * RECORD);
        for (int i = 0; i < batched; i++) {
            int[] place = Objects.requireNonNull(places.get(spans[i]));
            records.position(place[0]++ * RECORD).putInt(ids[i]).putLong(times[i]).putDouble(values[i]);
        }
        records.rewind();
        while (records.hasRemaining()) {
            at += file.write(records, at);
        }
        batched = 0;
    }

    /**
     * Ends the writing.
     *
     * @param seriesRanks the place of each series among all, by its number
     */
    void finish(int[] seriesRanks) throws IOException {
        flush();
        ranks = seriesRanks;
        spans = new long[0];
        ids = new int[0];
        times = new long[0];
        values = new double[0];
    }

    /** The spans that have samples, in order. */
    List<Long> spans() {
        return List.copyOf(extents.keySet());
    }

    /** Samples of all spans. */
    long size() {
        return size;
    }

    /** Gives all samples of a span. */
    void read(long span, Sink sink) throws IOException {
        for (Extent e : extents.getOrDefault(span, List.of())) {
            long at = e.offset;
            long end = at + (long) e.samples * RECORD;
            while (at < end) {
                buffer.clear().limit((int) Math.min(BUFFER, end - at));
                while (buffer.hasRemaining()) {
                    int n = file.read(buffer, at + buffer.position());
                    if (n < 0) {
                        throw new EOFException("the temporary file with the samples is cut off");
                    }
                }
                at += buffer.limit();
                buffer.flip();
                while (buffer.hasRemaining()) {
                    sink.sample(ranks[buffer.getInt()], buffer.getLong(), buffer.getDouble());
                }
            }
        }
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
