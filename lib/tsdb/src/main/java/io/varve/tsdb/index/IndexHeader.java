package io.varve.tsdb.index;

import io.varve.model.CorruptDataException;
import io.varve.model.UnavailableException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;

/**
 * The parts of a remote index that a reader needs at hand: symbols and postings offsets, in a local file of Thanos' format,
 * version 1, byte for byte, so that a directory can be shared with a Thanos store gateway. Safe for many threads.
 *
 * <p>
 * File, all big-endian: magic {@code BAAAD792}, header version 1, version of the index, offset of the postings offset table in the
 * index (8 bytes); then copies of {@code [symbols, series)} and of {@code [postings offset table, end of file)} of the index; at the end the
 * offsets of both copies in this file (8 bytes each) and CRC-32C of those 16 bytes.
 */
public final class IndexHeader implements AutoCloseable {
    private static final int MAGIC = 0xBAAAD792;
    private static final int VERSION = 1;
    private static final int HEADER = 14;
    private static final int TAIL = 20;
    /** Indexes up to this size are read at once. */
    private static final int WHOLE = 1 << 20;
    /** The first guess at how much the table of contents and the postings offset table take. */
    private static final int GUESS = 256 << 10;
    /** The greatest single read. */
    private static final int PART = 16 << 20;
    private static final int SYMBOL_CACHE = 1024;

    private final Arena arena;
    private final int indexVersion;
    private final long indexSize;
    private final Toc toc;
    private final Symbols symbols;
    private final PostingsOffsetTable postings;

    private IndexHeader(Arena arena, int indexVersion, long indexSize, Toc toc, Symbols symbols, PostingsOffsetTable postings) {
        this.arena = arena;
        this.indexVersion = indexVersion;
        this.indexSize = indexSize;
        this.toc = toc;
        this.symbols = symbols;
        this.postings = postings;
    }

    /**
     * Builds the file from ranges of the index: one read for a small index, else two or three and one more per 16 MiB. Writes
     * {@code <file>.tmp} and renames it. Memory is bounded by the greatest single read.
     *
     * @param name what errors call the index
     * @throws CorruptDataException where the index is damaged
     * @throws UnavailableException where the file cannot be written
     */
    public static void build(RangeReader index, String name, Path file) {
        long size = index.size();
        if (size < 5 + Toc.SIZE) {
            throw new CorruptDataException(name, 0, "index of " + size + " bytes is too short for header and table of contents");
        }
        int tailLength = (int) Math.min(size, size <= WHOLE ? WHOLE : GUESS);
        long tailStart = size - tailLength;
        byte[] tail = index.read(tailStart, tailLength);
        Toc toc = Toc.read(ByteRegion.of(tail, name, tailStart), size);
        if (toc.symbols() < 5 || toc.series() < toc.symbols() || toc.postingsTable() == 0) {
            throw new CorruptDataException(name, size - Toc.SIZE,
                    "table of contents lacks symbols, series or postings offset table: " + toc);
        }
        Source source = new Source(index, tail, tailStart);
        Path tmp = file.resolveSibling(file.getFileName() + ".tmp");
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            try (FileChannel out = FileChannel.open(tmp, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.WRITE)) {
                // The index's own header comes with the symbols: one range.
                long position = HEADER - toc.symbols();
                for (long at = 0; at < toc.series();) {
                    byte[] part = source.read(at, toc.series());
                    int skip = 0;
                    if (at == 0) {
                        int version = version(part, name);
                        ByteBuffer head = ByteBuffer.allocate(HEADER).putInt(MAGIC).put((byte) VERSION).put((byte) version)
                                .putLong(toc.postingsTable()).flip();
                        write(out, head, 0);
                        skip = (int) toc.symbols();
                    }
                    write(out, ByteBuffer.wrap(part, skip, part.length - skip), position + at + skip);
                    at += part.length;
                }
                long tableAt = position + toc.series();
                for (long at = toc.postingsTable(); at < size;) {
                    byte[] part = source.read(at, size);
                    write(out, ByteBuffer.wrap(part), tableAt + at - toc.postingsTable());
                    at += part.length;
                }
                ByteBuffer end = ByteBuffer.allocate(TAIL).putLong(HEADER).putLong(tableAt);
                CRC32C crc = new CRC32C();
                crc.update(end.array(), 0, 16);
                write(out, end.putInt((int) crc.getValue()).flip(), tableAt + size - toc.postingsTable());
            }
            Files.move(tmp, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UnavailableException("write index header " + file + ": " + e, e);
        } finally {
            discard(tmp);
        }
    }

    /** What is left of a file that was not finished, if anything is: on a full disk it would be in the way. */
    private static void discard(Path tmp) {
        try {
            Files.deleteIfExists(tmp);
        } catch (IOException e) {
            // The next attempt writes over it.
        }
    }

    /** Ranges, the end of the index from memory. */
    private record Source(RangeReader index, byte[] tail, long tailStart) {
        /** From {@code at} on, up to {@code end}: not all at once. */
        byte[] read(long at, long end) {
            if (at >= tailStart) {
                return java.util.Arrays.copyOfRange(tail, (int) (at - tailStart), (int) (end - tailStart));
            }
            return index.read(at, (int) Math.min(PART, Math.min(end, tailStart) - at));
        }
    }

    private static void write(FileChannel out, ByteBuffer bytes, long position) throws IOException {
        long at = position;
        while (bytes.hasRemaining()) {
            at += out.write(bytes, at);
        }
    }

    private static int version(byte[] head, String name) {
        ByteRegion r = ByteRegion.of(head, name, 0);
        return IndexReader.version(r);
    }

    /**
     * Maps a file, checks it and loads 1 of 32 places of its tables.
     *
     * @throws CorruptDataException where the file is damaged; it may be built anew then
     * @throws UnavailableException where it cannot be opened
     */
    public static IndexHeader open(Path file) {
        Arena arena = Arena.ofShared();
        try {
            return open(arena, ByteRegion.map(file, file.toString(), arena));
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private static IndexHeader open(Arena arena, ByteRegion file) {
        long size = file.size();
        if (size < HEADER + TAIL + Toc.SIZE) {
            throw file.corrupt(0, "index header of " + size + " bytes is too short");
        }
        if (file.i32(0) != MAGIC) {
            throw file.corrupt(0, "index header: invalid magic number " + Integer.toHexString(file.i32(0)));
        }
        if (file.u8(4) != VERSION) {
            throw file.corrupt(4, "index header: unknown version " + file.u8(4));
        }
        int indexVersion = file.u8(5);
        if (indexVersion < 1 || indexVersion > 2) {
            throw file.corrupt(5, "index header: unknown index version " + indexVersion);
        }
        int want = file.i32(size - 4);
        int got = file.crc(size - TAIL, 16);
        if (want != got) {
            throw file.corrupt(size - TAIL, "index header: checksum is " + Toc.hex(got) + ", stored " + Toc.hex(want));
        }
        long symbolsAt = file.i64(size - TAIL);
        long tableAt = file.i64(size - 12);
        if (symbolsAt < HEADER || tableAt < symbolsAt || tableAt > size - TAIL - Toc.SIZE) {
            throw file.corrupt(size - TAIL, "index header: sections are out of bounds");
        }
        long tableOffset = file.i64(6);
        ByteRegion tail = file.slice(tableAt, size - TAIL - tableAt);
        long indexSize = tableOffset + tail.size();
        Toc toc = Toc.read(tail, indexSize);
        if (toc.postingsTable() != tableOffset || toc.series() - toc.symbols() != tableAt - symbolsAt) {
            throw file.corrupt(6, "index header: sections do not have the places that the table of contents names");
        }
        // Version 1 references symbols by their offset in the index; so the copy must know where it lay.
        ByteRegion symbolBytes = file.slice(symbolsAt, tableAt - symbolsAt).as(file.file(), toc.symbols());
        Symbols symbols = Symbols.open(symbolBytes, indexVersion, SYMBOL_CACHE);
        PostingsOffsetTable postings = PostingsOffsetTable.open(tail, indexVersion, tableOffset);
        return new IndexHeader(arena, indexVersion, indexSize, toc, symbols, postings);
    }

    /** Version of the index, 1 or 2. */
    public int indexVersion() {
        return indexVersion;
    }

    /** Bytes of the index. */
    public long indexSize() {
        return indexSize;
    }

    /** The index's table of contents. */
    public Toc toc() {
        return toc;
    }

    /** Label names and values by reference. */
    public Symbols symbols() {
        return symbols;
    }

    /** Label names, values and the places of their postings lists in the index. */
    public PostingsOffsetTable postings() {
        return postings;
    }

    /** Unmaps the file. Readers that are still at work get an {@link UnavailableException}. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
