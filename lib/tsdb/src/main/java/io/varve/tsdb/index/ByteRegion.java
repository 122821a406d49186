package io.varve.tsdb.index;

import io.varve.model.CorruptDataException;
import io.varve.model.UnavailableException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;

/**
 * A run of bytes of a named file, in memory or mapped. Every read is checked: outside the region it is a
 * {@link CorruptDataException} that names the file and the place in it, and after the mapping was closed an
 * {@link UnavailableException}, never a crash. Positions are relative to the region. Safe for many threads.
 */
public final class ByteRegion {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final int CRC_SLAB = 1 << 16;

    private final MemorySegment segment;
    private final String file;
    private final long base;

    private ByteRegion(MemorySegment segment, String file, long base) {
        this.segment = segment;
        this.file = file;
        this.base = base;
    }

    /** All of an array, which is not copied; {@code base} is where it lies in {@code file}. */
    public static ByteRegion of(byte[] bytes, String file, long base) {
        return new ByteRegion(MemorySegment.ofArray(bytes), file, base);
    }

    /**
     * A whole file, mapped for reading; it stays readable until the arena is closed. An empty file gives an empty region.
     *
     * @param name what errors call the file
     * @throws UnavailableException where the file cannot be opened
     */
    public static ByteRegion map(Path path, String name, Arena arena) {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            long size = channel.size();
            MemorySegment mapped = size == 0 ? MemorySegment.NULL : channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
            return new ByteRegion(mapped, name, 0);
        } catch (IOException e) {
            if (Files.isDirectory(path)) {
                // It is opened, and cannot be mapped for want of a device.
                throw new UnavailableException("open " + path + ": is a directory", e);
            }
            throw UnavailableException.of("open " + path, e);
        }
    }

    /** Bytes in the region. */
    public long size() {
        return segment.byteSize();
    }

    /** The file's name in errors. */
    public String file() {
        return file;
    }

    /** Where in the file position 0 lies. */
    public long base() {
        return base;
    }

    /** A part of this region. */
    public ByteRegion slice(long position, long length) {
        check(position, length, "section");
        return new ByteRegion(segment.asSlice(position, length), file, base + position);
    }

    /** The same bytes under another file's name and offset; for copies that should report places in their original. */
    public ByteRegion as(String otherFile, long otherBase) {
        return new ByteRegion(segment, otherFile, otherBase);
    }

    /**
     * Lets go of the memory that a part of a mapped file takes in this process, for a reader that goes over a file once; nothing where the region is
     * not mapped. It can be read as before.
     */
    public void release(long position, long length) {
        if (segment.isMapped()) {
            try {
                segment.asSlice(position, length).unload();
            } catch (IndexOutOfBoundsException | IllegalStateException e) {
                throw translate(e, position);
            }
        }
    }

    /** Throws unless {@code length} bytes from {@code position} lie inside. */
    public void check(long position, long length, String what) {
        if (position < 0 || length < 0 || position > size() - length) {
            throw corrupt(position, what + " of " + length + " bytes ends outside the " + size() + " bytes that are there");
        }
    }

    /** A byte, 0 to 255. */
    public int u8(long position) {
        try {
            return segment.get(ValueLayout.JAVA_BYTE, position) & 0xFF;
        } catch (IndexOutOfBoundsException | IllegalStateException e) {
            throw translate(e, position);
        }
    }

    /** Four bytes, big-endian, signed. */
    public int i32(long position) {
        try {
            return segment.get(INT, position);
        } catch (IndexOutOfBoundsException | IllegalStateException e) {
            throw translate(e, position);
        }
    }

    /** Four bytes, big-endian, unsigned. */
    public long u32(long position) {
        return i32(position) & 0xFFFFFFFFL;
    }

    /** Eight bytes, big-endian. */
    public long i64(long position) {
        try {
            return segment.get(LONG, position);
        } catch (IndexOutOfBoundsException | IllegalStateException e) {
            throw translate(e, position);
        }
    }

    /** A copy of {@code length} bytes. */
    public byte[] copy(long position, int length) {
        check(position, length, "read");
        byte[] out = new byte[length];
        copy(position, out, 0, length);
        return out;
    }

    /** Copies into {@code into}. */
    public void copy(long position, byte[] into, int offset, int length) {
        try {
            MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, position, into, offset, length);
        } catch (IndexOutOfBoundsException | IllegalStateException e) {
            throw translate(e, position);
        }
    }

    /** The text of {@code length} bytes of UTF-8. */
    public String text(long position, int length) {
        return new String(copy(position, length), StandardCharsets.UTF_8);
    }

    /** CRC-32C of a part. */
    public int crc(long position, long length) {
        check(position, length, "checksummed part");
        CRC32C crc = new CRC32C();
        // Slabs are copied rather than handed over as a buffer: a buffer would pin the arena and make closing it fail.
        byte[] slab = new byte[(int) Math.min(length, CRC_SLAB)];
        for (long done = 0; done < length;) {
            int n = (int) Math.min(slab.length, length - done);
            copy(position + done, slab, 0, n);
            crc.update(slab, 0, n);
            done += n;
        }
        return (int) crc.getValue();
    }

    /** Compares {@code length} bytes at {@code position} with {@code other}, as unsigned bytes. */
    public int compare(long position, int length, byte[] other) {
        try {
            int n = Math.min(length, other.length);
            for (int i = 0; i < n; i++) {
                int a = segment.get(ValueLayout.JAVA_BYTE, position + i) & 0xFF;
                int b = other[i] & 0xFF;
                if (a != b) {
                    return a - b;
                }
            }
            return length - other.length;
        } catch (IndexOutOfBoundsException | IllegalStateException e) {
            throw translate(e, position);
        }
    }

    /** Compares two parts of the region, as unsigned bytes. */
    public int compare(long a, int aLength, long b, int bLength) {
        return compare(a, aLength, this, b, bLength);
    }

    /** Compares a part of this region with one of another, as unsigned bytes. */
    int compare(long a, int aLength, ByteRegion other, long b, int bLength) {
        // Eight bytes at a time: texts are short, and the JDK's comparison of segments costs the compiler more than it wins here.
        int n = Math.min(aLength, bLength);
        try {
            int i = 0;
            for (; i <= n - Long.BYTES; i += Long.BYTES) {
                long x = segment.get(LONG, a + i);
                long y = other.segment.get(LONG, b + i);
                if (x != y) {
                    return Long.compareUnsigned(x, y);
                }
            }
            for (; i < n; i++) {
                int x = segment.get(ValueLayout.JAVA_BYTE, a + i) & 0xFF;
                int y = other.segment.get(ValueLayout.JAVA_BYTE, b + i) & 0xFF;
                if (x != y) {
                    return x - y;
                }
            }
            return aLength - bLength;
        } catch (IndexOutOfBoundsException | IllegalStateException e) {
            throw translate(e, a);
        }
    }

    /** Whether two parts of the region hold the same bytes. */
    public boolean same(long a, long b, int length) {
        return compare(a, length, b, length) == 0;
    }

    /** Whether a part of this region holds the same bytes as one of another; for long ones. */
    boolean same(long a, ByteRegion other, long b, long length) {
        try {
            return MemorySegment.mismatch(segment, a, a + length, other.segment, b, b + length) < 0;
        } catch (IndexOutOfBoundsException | IllegalStateException e) {
            throw translate(e, a);
        }
    }

    /** A fault at {@code position} of this region. */
    public CorruptDataException corrupt(long position, String rule) {
        return new CorruptDataException(file, base + position, rule);
    }

    private RuntimeException translate(RuntimeException e, long position) {
        return e instanceof IllegalStateException
                ? new UnavailableException(file + " is closed", e)
                : corrupt(position, "read ends outside the " + segment.byteSize() + " bytes that are there");
    }
}
