package io.varve.block;

import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import io.varve.tsdb.UnknownFields;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The form that {@link MetaCopies} keeps metas in: what thousands of blocks have in common is one object after reading, and reading takes a
 * hundredth of what JSON does in a process that has just started. Not for exchange: whoever reads something else than what this version
 * writes reads the bucket again.
 *
 * <p>
 * First a byte. 1: the meta in fields, in the order of {@link #write}: numbers are zigzag varints, texts a length and UTF-8. 0: the bytes of
 * meta.json, for metas that have JSON of others in them: unknown fields, extensions, rewrites.
 *
 * <p>
 * One thread.
 */
final class MetaForm {
    private static final byte JSON = 0;
    private static final byte FIELDS = 1;
    private static final int SLOTS = 256;

    /** Texts that were read, each where its bytes hash to. */
    private final byte[][] seenBytes = new byte[SLOTS][];
    private final @Nullable String[] seen = new String[SLOTS];
    private final byte[][] seenLabelBytes = new byte[SLOTS][];
    private final @Nullable Labels[] seenLabels = new Labels[SLOTS];
    private byte[] bytes = {};
    private int at;

    /** The form of a meta that was read from {@code json}. */
    static byte[] of(BlockMeta meta, byte[] json) {
        BlockMeta.Thanos t = meta.thanos();
        ByteArrayOutputStream out = new ByteArrayOutputStream(256);
        if (!meta.unknown().equals(UnknownFields.NONE) || t != null && (t.extensions() != null || !t.rewrites().isEmpty())) {
            out.write(JSON);
            out.writeBytes(json);
        } else {
            out.write(FIELDS);
            write(meta, out);
        }
        return out.toByteArray();
    }

    private static void write(BlockMeta meta, ByteArrayOutputStream out) {
        write(meta.ulid(), out);
        write(meta.minTime(), out);
        write(meta.maxTime(), out);
        BlockMeta.Stats s = meta.stats();
        for (long n : new long[]{s.samples(), s.floatSamples(), s.histogramSamples(), s.series(), s.chunks(), s.tombstones()}) {
            write(n, out);
        }
        BlockMeta.Compaction c = meta.compaction();
        write(c.level(), out);
        write(c.sources().size(), out);
        c.sources().forEach(u -> write(u, out));
        write(c.deletable() ? 1 : 0, out);
        write(c.parents().size(), out);
        for (BlockMeta.Parent p : c.parents()) {
            write(p.ulid(), out);
            write(p.minTime(), out);
            write(p.maxTime(), out);
        }
        write(c.failed() ? 1 : 0, out);
        write(c.hints(), out);
        BlockMeta.Thanos t = meta.thanos();
        write(t == null ? 0 : 1, out);
        if (t != null) {
            write(t, out);
        }
    }

    private static void write(BlockMeta.Thanos t, ByteArrayOutputStream out) {
        write(t.version(), out);
        ByteArrayOutputStream labels = new ByteArrayOutputStream();
        t.labels().forEach((name, value) -> {
            write(name, labels);
            write(value, labels);
        });
        write(labels.size(), out);
        out.writeBytes(labels.toByteArray());
        write(t.resolutionMillis(), out);
        write(t.source(), out);
        write(t.segmentFiles(), out);
        write(t.files().size(), out);
        for (BlockMeta.FileEntry f : t.files()) {
            write(f.path(), out);
            write(f.sizeBytes(), out);
            write(f.hashFunction(), out);
            write(f.hash(), out);
        }
        write(t.indexStats().seriesMaxSize(), out);
        write(t.indexStats().chunkMaxSize(), out);
        Instant uploaded = t.uploadTime();
        write(uploaded == null ? 0 : 1, out);
        if (uploaded != null) {
            write(uploaded.getEpochSecond(), out);
            write(uploaded.getNano(), out);
        }
    }

    private static void write(List<String> texts, ByteArrayOutputStream out) {
        write(texts.size(), out);
        texts.forEach(text -> write(text, out));
    }

    private static void write(String text, ByteArrayOutputStream out) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        write(utf8.length, out);
        out.writeBytes(utf8);
    }

    private static void write(Ulid ulid, ByteArrayOutputStream out) {
        for (int shift = 56; shift >= 0; shift -= 8) {
            out.write((int) (ulid.high() >>> shift));
        }
        for (int shift = 56; shift >= 0; shift -= 8) {
            out.write((int) (ulid.low() >>> shift));
        }
    }

    private static void write(long n, ByteArrayOutputStream out) {
        long left = n << 1 ^ n >> 63;
        while ((left & ~0x7FL) != 0) {
            out.write((int) (left & 0x7F | 0x80));
            left >>>= 7;
        }
        out.write((int) left);
    }

    /**
     * Reads a form.
     *
     * @param name what errors call it
     * @throws CorruptDataException where this class did not write it
     */
    BlockMeta read(byte[] form, String name) {
        if (form.length > 0 && form[0] == JSON) {
            return BlockMeta.parse(Arrays.copyOfRange(form, 1, form.length), name);
        }
        if (form.length == 0 || form[0] != FIELDS) {
            throw new CorruptDataException(name, 0, "a copy of another kind");
        }
        bytes = form;
        at = 1;
        try {
            BlockMeta meta = meta();
            if (at != form.length) {
                throw new CorruptDataException(name, at, "a copy that does not end");
            }
            return meta;
        } catch (IndexOutOfBoundsException | NegativeArraySizeException | java.time.DateTimeException e) {
            throw new CorruptDataException(name, at, "a damaged copy: " + e.getMessage(), e);
        }
    }

    private BlockMeta meta() {
        Ulid ulid = ulid();
        long minTime = number();
        long maxTime = number();
        BlockMeta.Stats stats = new BlockMeta.Stats(number(), number(), number(), number(), number(), number());
        int level = (int) number();
        int n = count();
        List<Ulid> sources = new ArrayList<>(n);
        for (int i = 0; i < n; i++) {
            Ulid source = ulid();
            sources.add(source.equals(ulid) ? ulid : source);
        }
        boolean deletable = number() != 0;
        n = count();
        List<BlockMeta.Parent> parents = new ArrayList<>(n);
        for (int i = 0; i < n; i++) {
            parents.add(new BlockMeta.Parent(ulid(), number(), number()));
        }
        boolean failed = number() != 0;
        BlockMeta.Compaction compaction = new BlockMeta.Compaction(level, sources, deletable, parents, failed, texts());
        return new BlockMeta(ulid, minTime, maxTime, stats, compaction, number() == 0 ? null : thanos(), UnknownFields.NONE);
    }

    private BlockMeta.Thanos thanos() {
        int version = (int) number();
        Labels labels = labels();
        long resolutionMillis = number();
        String source = text();
        List<String> segmentFiles = texts();
        int n = count();
        List<BlockMeta.FileEntry> files = new ArrayList<>(n);
        for (int i = 0; i < n; i++) {
            files.add(new BlockMeta.FileEntry(text(), number(), text(), text()));
        }
        BlockMeta.IndexStats indexStats = new BlockMeta.IndexStats(number(), number());
        Instant uploaded = number() == 0 ? null : Instant.ofEpochSecond(number(), number());
        return new BlockMeta.Thanos(version, labels, resolutionMillis, source, segmentFiles, files, List.of(),
                indexStats.equals(BlockMeta.IndexStats.UNKNOWN) ? BlockMeta.IndexStats.UNKNOWN : indexStats, null, uploaded);
    }

    private Labels labels() {
        int length = count();
        int end = at + length;
        int slot = slot(length);
        Labels known = seenLabels[slot];
        if (known != null && same(seenLabelBytes[slot], length)) {
            at = end;
            return known;
        }
        byte[] own = Arrays.copyOfRange(bytes, at, end);
        List<String> pairs = new ArrayList<>();
        while (at < end) {
            pairs.add(text());
            pairs.add(text());
        }
        Labels labels = Labels.of(pairs.toArray(String[]::new));
        seenLabelBytes[slot] = own;
        seenLabels[slot] = labels;
        return labels;
    }

    private List<String> texts() {
        int n = count();
        List<String> texts = new ArrayList<>(n);
        for (int i = 0; i < n; i++) {
            texts.add(text());
        }
        return texts;
    }

    private String text() {
        int length = count();
        if (length == 0) {
            return "";
        }
        int slot = slot(length);
        String known = seen[slot];
        if (known == null || !same(seenBytes[slot], length)) {
            known = new String(bytes, at, length, StandardCharsets.UTF_8);
            if (length <= 64) {
                seenBytes[slot] = Arrays.copyOfRange(bytes, at, at + length);
                seen[slot] = known;
            }
        }
        at += length;
        return known;
    }

    private int slot(int length) {
        int hash = length;
        if (length > 0) {
            hash = hash * 31 + bytes[at + length - 1];
            hash = hash * 31 + bytes[at + length / 2];
            hash = hash * 31 + bytes[at];
        }
        return (hash ^ hash >>> 8) & SLOTS - 1;
    }

    private boolean same(byte[] other, int length) {
        return Arrays.equals(other, 0, other.length, bytes, at, at + length);
    }

    /** A number of bytes or of things that take a byte at least, so that damage does not ask for memory that the copy has no room for. */
    private int count() {
        long n = number();
        if (n < 0 || n > bytes.length - at) {
            throw new IndexOutOfBoundsException(at);
        }
        return (int) n;
    }

    private Ulid ulid() {
        return new Ulid(eight(), eight());
    }

    private long eight() {
        long n = 0;
        for (int i = 0; i < Long.BYTES; i++) {
            n = n << 8 | bytes[at++] & 0xFF;
        }
        return n;
    }

    private long number() {
        long n = 0;
        for (int shift = 0; shift < Long.SIZE; shift += 7) {
            byte b = bytes[at++];
            n |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                break;
            }
        }
        return n >>> 1 ^ -(n & 1);
    }
}
