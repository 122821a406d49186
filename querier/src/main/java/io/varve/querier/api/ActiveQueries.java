package io.varve.querier.api;

import io.varve.model.ErrorText;
import io.varve.model.JsonText;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file {@code queries.active}: which queries run, one entry of fixed size each, so that after a crash it says what was running. The
 * form is Prometheus'. Safe for many threads.
 */
public final class ActiveQueries implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ActiveQueries.class);
    private static final int ENTRY = 1000;
    private final @Nullable RandomAccessFile file;
    private final Deque<Integer> free = new ArrayDeque<>();

    /**
     * @param directory where the file lies, "" for none
     * @param slots queries at once
     */
    public ActiveQueries(String directory, int slots) {
        if (directory.isEmpty()) {
            file = null;
            return;
        }
        try {
            Path dir = Files.createDirectories(Path.of(directory));
            Path path = dir.resolve("queries.active");
            report(path);
            RandomAccessFile f = new RandomAccessFile(path.toFile(), "rw");
            f.setLength(0);
            f.setLength((long) slots * ENTRY + 1);
            f.write('[');
            file = f;
            for (int i = 0; i < slots; i++) {
                free.add(i);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("active query file in " + directory + ": " + ErrorText.of(e), e);
        }
    }

    private static void report(Path path) throws IOException {
        List<String> left = left(path);
        if (!left.isEmpty()) {
            LOG.atWarn().addKeyValue("queries", "[" + String.join(",", left) + "]")
                    .log("these queries did not finish when the process last ended");
        }
    }

    /** The entries of a file that a process left behind; none where there is no file. */
    static List<String> left(Path path) throws IOException {
        List<String> entries = new ArrayList<>();
        if (!Files.exists(path)) {
            return entries;
        }
        byte[] all = Files.readAllBytes(path);
        for (int at = 1; at < all.length; at += ENTRY) {
            int end = at;
            while (end < Math.min(all.length, at + ENTRY) && all[end] != 0 && all[end] != '\n') {
                end++;
            }
            String e = new String(all, at, end - at, StandardCharsets.UTF_8).strip();
            if (!e.isEmpty()) {
                entries.add(e.endsWith(",") ? e.substring(0, e.length() - 1) : e);
            }
        }
        return entries;
    }

    /** A query that runs. */
    public interface Entry extends AutoCloseable {
        /** It runs no more. */
        @Override
        void close();
    }

    /** Notes a query; the result takes it out again. */
    public Entry enter(String query, long nowMillis) {
        RandomAccessFile f = file;
        if (f == null) {
            return () -> {
            };
        }
        int slot;
        synchronized (free) {
            Integer s = free.poll();
            if (s == null) {
                return () -> {
                };
            }
            slot = s;
        }
        write(f, slot, entry(query, nowMillis));
        return () -> {
            write(f, slot, new byte[0]);
            synchronized (free) {
                free.add(slot);
            }
        };
    }

    /** An entry that fits, its query cut as far as it must. */
    private static byte[] entry(String query, long nowMillis) {
        int keep = query.length();
        while (true) {
            StringBuilder sb = new StringBuilder("{\"query\":");
            JsonText.appendString(sb, keep < query.length() ? query.substring(0, keep) + "..." : query);
            sb.append(",\"timestamp_sec\":").append(nowMillis / 1000).append("},\n");
            byte[] entry = sb.toString().getBytes(StandardCharsets.UTF_8);
            if (entry.length <= ENTRY) {
                return entry;
            }
            keep = Math.min(keep, ENTRY) * 7 / 8;
            if (Character.isHighSurrogate(query.charAt(keep - 1))) {
                keep--;
            }
        }
    }

    private static void write(RandomAccessFile f, int slot, byte[] entry) {
        byte[] b = new byte[ENTRY];
        System.arraycopy(entry, 0, b, 0, Math.min(entry.length, ENTRY));
        synchronized (f) {
            try {
                f.seek((long) slot * ENTRY + 1);
                f.write(b);
            } catch (IOException e) {
                LOG.atWarn().addKeyValue("err", ErrorText.of(e)).log("active query file cannot be written");
            }
        }
    }

    @Override
    public void close() throws IOException {
        if (file != null) {
            file.close();
        }
    }
}
