package io.varve.tsdb;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;

/** Writes a file from front to back through a buffer, with a running checksum on demand. One thread. */
final class FileSink implements AutoCloseable {
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
    private static final byte[] ZEROS = new byte[16];

    private final SyncedFile file;
    private final byte[] buffer = new byte[1 << 18];
    private final CRC32C crc = new CRC32C();
    private int buffered;
    private long position;
    private boolean summing;

    /** @param toKeep whether it will be synced in the end */
    FileSink(Path path, boolean toKeep) throws IOException {
        file = new SyncedFile(
                FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE,
                        StandardOpenOption.READ),
                toKeep ? SyncedFile.STEP : Long.MAX_VALUE);
    }

    /** Bytes written so far. */
    long position() {
        return position;
    }

    void write(byte[] from, int offset, int length) throws IOException {
        if (summing) {
            crc.update(from, offset, length);
        }
        position += length;
        if (length > buffer.length - buffered) {
            flush();
            if (length > buffer.length) {
                put(ByteBuffer.wrap(from, offset, length));
                return;
            }
        }
        System.arraycopy(from, offset, buffer, buffered, length);
        buffered += length;
    }

    void write(ByteWriter from) throws IOException {
        write(from.array(), 0, from.size());
    }

    void i32(int v) throws IOException {
        if (buffer.length - buffered < 4) {
            flush();
        }
        INT.set(buffer, buffered, v);
        if (summing) {
            crc.update(buffer, buffered, 4);
        }
        buffered += 4;
        position += 4;
    }

    /** Zeros up to a multiple of a power of two, at most 16. */
    void align(int to) throws IOException {
        write(ZEROS, 0, (int) (-position & to - 1));
    }

    /** From here on what is written is summed up, until the sum is asked for. */
    void startCrc() {
        crc.reset();
        summing = true;
    }

    int crc() {
        summing = false;
        return (int) crc.getValue();
    }

    void flush() throws IOException {
        put(ByteBuffer.wrap(buffer, 0, buffered));
        buffered = 0;
    }

    private void put(ByteBuffer bytes) throws IOException {
        file.write(bytes);
    }

    /** Overwrites four bytes that were written before. */
    void patch(long at, int value) throws IOException {
        flush();
        file.patch(ByteBuffer.allocate(4).putInt(value).flip(), at);
    }

    /** Has the disk take what was written so far. */
    void push() throws IOException {
        flush();
        file.push();
    }

    void sync() throws IOException {
        flush();
        file.sync();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
