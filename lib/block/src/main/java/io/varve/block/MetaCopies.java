package io.varve.block;

import io.varve.tsdb.Ulid;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The local copies of a bucket's metas, in one file: to make and to read ten thousand small files costs several times as much as what is in
 * them. New copies are appended; where most of the file is of blocks that are gone, it is written anew. It is a cache: nothing is
 * synced, and what a crash or a disk left damaged is not used. A file that cannot be written costs speed at the next start, nothing
 * else.
 *
 * <p>
 * The file begins with eight bytes of magic, the last of which is the version. A record is the length of its body and the body's CRC32C, 4 bytes each,
 * then the body: the block's ULID (16 bytes), when the object was last changed (8, milliseconds since 1970) and how large it was (8), then the meta in
 * the form of {@link MetaForm}. Numbers are big-endian. The last record of a block counts.
 *
 * <p>
 * {@link #add} is safe for many threads; of the others one may run at a time.
 */
final class MetaCopies {
    private static final Logger LOG = LoggerFactory.getLogger(MetaCopies.class);
    private static final long MAGIC = 0x76617276656d7302L;
    private static final int HEAD = 8;
    private static final int KEY = 32;
    /** What is gathered before it is written. */
    private static final int BUFFER = 1 << 18;
    /** Records of blocks that are gone: up to so many bytes are not worth a new file. */
    private static final long SMALL_GARBAGE = 1 << 20;

    private final Path file;
    private final ByteArrayOutputStream added = new ByteArrayOutputStream();
    /** Of every block that has a copy, the size of its record. */
    private final Map<Ulid, Integer> sizes = new HashMap<>();
    private long fileSize;
    private boolean failed;

    /** Takes a copy. */
    interface Taker {
        void take(Ulid id, long modifiedMillis, long size, byte[] form);
    }

    private record Place(Ulid id, int at, int length) {
    }

    MetaCopies(Path file) {
        this.file = file;
    }

    /**
     * Hands out every block's copy.
     *
     * @param ids told before that which blocks have one, if the file can be read
     */
    synchronized void load(Consumer<Set<Ulid>> ids, Taker taker) {
        try (Arena arena = Arena.ofConfined(); FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            if (channel.size() > Integer.MAX_VALUE) {
                LOG.atWarn().addKeyValue("file", file).log("copies of metas are larger than any this makes: they are not used");
                return;
            }
            ByteBuffer bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena).asByteBuffer();
            Map<Ulid, Place> places = new HashMap<>();
            fileSize = places(bytes, places);
            places.forEach((id, place) -> sizes.put(id, HEAD + place.length));
            ids.accept(places.keySet());
            for (Place place : places.values()) {
                int body = place.at + HEAD;
                byte[] form = new byte[place.length - KEY];
                bytes.get(body + KEY, form);
                taker.take(place.id, bytes.getLong(body + 16), bytes.getLong(body + 24), form);
            }
        } catch (NoSuchFileException e) {
            LOG.atDebug().addKeyValue("file", file).log("no copies of metas yet");
        } catch (IOException e) {
            LOG.atWarn().addKeyValue("file", file).addKeyValue("err", e.toString()).log("copies of metas cannot be read");
        }
    }

    /** Where every block's last record is; returns the end of the last whole record, 0 for a file that is none of this kind. */
    private static int places(ByteBuffer bytes, Map<Ulid, Place> places) {
        int size = bytes.limit();
        if (size < Long.BYTES || bytes.getLong(0) != MAGIC) {
            return 0;
        }
        CRC32C crc = new CRC32C();
        int at = Long.BYTES;
        while (size - at >= HEAD + KEY) {
            int length = bytes.getInt(at);
            if (length < KEY || length > size - at - HEAD) {
                break;
            }
            crc.reset();
            crc.update(bytes.slice(at + HEAD, length));
            if ((int) crc.getValue() != bytes.getInt(at + 4)) {
                break;
            }
            Ulid id = new Ulid(bytes.getLong(at + HEAD), bytes.getLong(at + HEAD + 8));
            places.put(id, new Place(id, at, length));
            at += HEAD + length;
        }
        return at;
    }

    /** Keeps a copy. It is on disk after {@link #finish}, perhaps earlier. */
    synchronized void add(Ulid id, long modifiedMillis, long size, byte[] form) {
        ByteBuffer record = ByteBuffer.allocate(HEAD + KEY + form.length);
        record.putInt(KEY + form.length).putInt(0).putLong(id.high()).putLong(id.low()).putLong(modifiedMillis).putLong(size).put(form);
        CRC32C crc = new CRC32C();
        crc.update(record.array(), HEAD, KEY + form.length);
        record.putInt(4, (int) crc.getValue());
        added.writeBytes(record.array());
        sizes.put(id, record.capacity());
        if (added.size() >= BUFFER) {
            append();
        }
    }

    private void append() {
        try {
            Path directory = file.toAbsolutePath().getParent();
            if (fileSize == 0 && directory != null) {
                Files.createDirectories(directory);
            }
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                // Whatever follows the last whole record is damaged.
                channel.truncate(fileSize);
                ByteBuffer out = ByteBuffer.allocate(Long.BYTES + added.size());
                if (fileSize == 0) {
                    out.putLong(MAGIC);
                }
                out.put(added.toByteArray()).flip();
                writeAll(channel, out, fileSize);
                fileSize += out.limit();
            }
        } catch (IOException e) {
            failed(e);
        }
        added.reset();
    }

    private static void writeAll(FileChannel channel, ByteBuffer bytes, long at) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes, at + bytes.position());
        }
    }

    private void failed(IOException e) {
        if (!failed) {
            LOG.atWarn().addKeyValue("file", file).addKeyValue("err", e.toString()).log("copies of metas cannot be kept");
        }
        failed = true;
    }

    /** Writes what was added; where blocks that are gone fill most of the file, writes the others anew. */
    synchronized void finish(Set<Ulid> listed) {
        if (added.size() > 0) {
            append();
        }
        sizes.keySet().retainAll(listed);
        long live = Long.BYTES;
        for (int size : sizes.values()) {
            live += size;
        }
        if (fileSize - live > Math.max(SMALL_GARBAGE, live)) {
            try {
                rewrite();
            } catch (IOException e) {
                failed(e);
            }
        }
    }

    private void rewrite() throws IOException {
        Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
        long size = Long.BYTES;
        try (Arena arena = Arena.ofConfined();
                FileChannel from = FileChannel.open(file, StandardOpenOption.READ);
                FileChannel to = FileChannel.open(temporary, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
                        StandardOpenOption.TRUNCATE_EXISTING)) {
            ByteBuffer bytes = from.map(FileChannel.MapMode.READ_ONLY, 0, Math.min(from.size(), Integer.MAX_VALUE), arena).asByteBuffer();
            Map<Ulid, Place> places = new HashMap<>();
            places(bytes, places);
            writeAll(to, ByteBuffer.allocate(Long.BYTES).putLong(0, MAGIC), 0);
            for (Place place : places.values()) {
                if (sizes.containsKey(place.id)) {
                    ByteBuffer record = bytes.slice(place.at, HEAD + place.length);
                    writeAll(to, record, size);
                    size += record.limit();
                }
            }
        }
        try {
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(temporary, file, StandardCopyOption.REPLACE_EXISTING);
        }
        fileSize = size;
    }
}
