package io.varve.tsdb;

import io.varve.model.CorruptDataException;
import io.varve.model.UnavailableException;
import io.varve.tsdb.index.ByteRegion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * What is deleted of a block's series: its {@code tombstones} file. Immutable.
 *
 * <p>
 * File: magic {@code 0130BA30}, version 1, then {@code uvarint series id, varint min, varint max} in any order, at the end CRC-32C
 * of those entries. The id is that of the postings. No file means that nothing is deleted.
 */
public final class Tombstones {
    /** The file's name. */
    public static final String FILE = "tombstones";
    /** Nothing is deleted. */
    public static final Tombstones NONE = new Tombstones(Map.of());
    private static final int MAGIC = 0x0130BA30;
    private static final int VERSION = 1;
    private static final int HEADER = 5;
    private static final int CHECKSUM = 4;

    private final Map<Long, Intervals> bySeries;

    private Tombstones(Map<Long, Intervals> bySeries) {
        this.bySeries = bySeries;
    }

    /** With the intervals of each series id. */
    public static Tombstones of(Map<Long, Intervals> bySeries) {
        return new Tombstones(Map.copyOf(bySeries));
    }

    /**
     * Reads the file in a block's directory.
     *
     * @throws CorruptDataException where it is damaged
     */
    public static Tombstones read(Path blockDirectory) {
        Path file = blockDirectory.resolve(FILE);
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            return NONE;
        } catch (IOException e) {
            throw UnavailableException.of("read " + file, e);
        }
        return parse(bytes, file.toString());
    }

    /** Reads a file's bytes. */
    public static Tombstones parse(byte[] bytes, String name) {
        ByteRegion r = ByteRegion.of(bytes, name, 0);
        if (bytes.length < HEADER + CHECKSUM) {
            throw r.corrupt(0, "tombstones: file has " + bytes.length + " bytes, at least " + (HEADER + CHECKSUM) + " needed");
        }
        if (r.i32(0) != MAGIC) {
            throw r.corrupt(0, "tombstones: invalid magic number " + Integer.toHexString(r.i32(0)));
        }
        if (r.u8(4) != VERSION) {
            throw r.corrupt(4, "tombstones: invalid format " + r.u8(4));
        }
        int end = bytes.length - CHECKSUM;
        int got = r.crc(HEADER, end - HEADER);
        int want = r.i32(end);
        if (got != want) {
            throw r.corrupt(end, String.format("tombstones: checksum is %08x, stored %08x", got, want));
        }
        Map<Long, Intervals> map = new HashMap<>();
        ByteParser in = new ByteParser(bytes, HEADER, end, name);
        while (in.position() < end) {
            int at = in.position();
            long id = in.uvarint();
            long min = in.varint();
            long max = in.varint();
            if (max < min) {
                throw r.corrupt(at, "tombstones: interval ends at " + max + " before it begins at " + min);
            }
            map.merge(id, Intervals.NONE.with(min, max), (a, b) -> a.with(min, max));
        }
        return new Tombstones(Map.copyOf(map));
    }

    /** Where the first record of a series stands in a file that {@link #parse} has read, 0 where there is none. */
    static long offsetOf(byte[] bytes, String name, long seriesId) {
        ByteParser in = new ByteParser(bytes, HEADER, bytes.length - CHECKSUM, name);
        while (in.position() < bytes.length - CHECKSUM) {
            int at = in.position();
            if (in.uvarint() == seriesId) {
                return at;
            }
            in.varint();
            in.varint();
        }
        return 0;
    }

    /** What is deleted of a series. */
    public Intervals of(long seriesId) {
        // Most blocks have none, and this is asked for every series.
        return bySeries.isEmpty() ? Intervals.NONE : bySeries.getOrDefault(seriesId, Intervals.NONE);
    }

    /** Whether nothing is deleted. */
    public boolean isEmpty() {
        return bySeries.isEmpty();
    }

    /** All, by series id; not to be changed. */
    public Map<Long, Intervals> bySeries() {
        return bySeries;
    }

    /** How many intervals there are. */
    public long intervals() {
        return bySeries.values().stream().mapToLong(Intervals::size).sum();
    }

    /** The file's bytes, in order of the ids. */
    public byte[] encode() {
        ByteWriter out = new ByteWriter(64);
        new TreeMap<>(bySeries).forEach((id, intervals) -> {
            for (int i = 0; i < intervals.size(); i++) {
                out.uvarint(id);
                out.varint(intervals.min(i));
                out.varint(intervals.max(i));
            }
        });
        CRC32C crc = new CRC32C();
        crc.update(out.array(), 0, out.size());
        ByteWriter file = new ByteWriter(out.size() + HEADER + CHECKSUM);
        file.i32(MAGIC);
        file.u8(VERSION);
        file.bytes(out.array(), 0, out.size());
        file.i32((int) crc.getValue());
        return Arrays.copyOf(file.array(), file.size());
    }
}
