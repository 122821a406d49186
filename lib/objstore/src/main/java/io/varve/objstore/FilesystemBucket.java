package io.varve.objstore;

import io.varve.model.CancelledException;
import io.varve.model.InvalidRequestException;
import io.varve.model.UnavailableException;
import io.varve.model.Utf8Order;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A directory as a bucket: a key is a path below it. Layout and visible behaviour are those of Thanos' {@code FILESYSTEM} bucket
 * (directories that hold no object are not listed, deletion takes empty parents along), so both may work on one directory; but an
 * object appears whole or not at all: it is written below {@value #TEMPORARY}, forced to disk, and renamed; once an upload has returned, its
 * name is on disk too.
 *
 * <p>
 * Safe for many threads and processes. The directory may be absent: it is then empty, and the first upload creates it.
 */
public final class FilesystemBucket implements Bucket {
    private static final Logger LOG = LoggerFactory.getLogger(FilesystemBucket.class);
    /** Where bodies lie while they are written: no ULID, so every reader of the bucket ignores it; hidden from our listings. */
    static final String TEMPORARY = ".varve-uploads";
    private static final int COPY_BYTES = 1 << 18;
    /** A directory may be removed between its creation and the rename into it, by a deletion beside; not this often. */
    private static final int RENAME_ATTEMPTS = 20;

    /** Nothing is written for so long; a body that is older was left by a process that was killed. */
    private static final Duration ABANDONED = Duration.ofDays(1);
    private static final Pattern TEMPORARY_NAME = Pattern.compile("[0-9]+-[0-9a-z]+");

    /** Makes the names in a directory durable. */
    interface Sync {
        void directory(Path directory) throws IOException;
    }

    private final Path root;
    private final Sync sync;
    private final AtomicBoolean swept = new AtomicBoolean();

    /**
     * Of that directory.
     *
     * @throws InvalidRequestException where the path is something else than a directory
     */
    public FilesystemBucket(Path root) {
        this(root, FilesystemBucket::sync);
    }

    FilesystemBucket(Path root, Sync sync) {
        this.sync = sync;
        this.root = root.toAbsolutePath().normalize();
        if (Files.exists(this.root) && !Files.isDirectory(this.root)) {
            throw new InvalidRequestException("FILESYSTEM bucket: " + this.root + " is not a directory");
        }
    }

    @Override
    public InputStream open(String key) throws NoSuchObjectException {
        Path file = file(key);
        try {
            if (Files.isDirectory(file)) {
                throw new NoSuchObjectException(key);
            }
            return Files.newInputStream(file);
        } catch (IOException e) {
            throw absentOrFailed("open", key, e);
        }
    }

    @Override
    public byte[] readRange(String key, long offset, int length) throws NoSuchObjectException {
        Ranges.check(key, offset, length);
        Path file = file(key);
        if (Files.isDirectory(file)) {
            throw new NoSuchObjectException(key);
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            long left = Math.max(0, channel.size() - offset);
            ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(length, left));
            while (buffer.hasRemaining() && channel.read(buffer, offset + buffer.position()) >= 0) {
                // Reads until the range is full or the file ends.
            }
            return buffer.hasRemaining() ? Arrays.copyOf(buffer.array(), buffer.position()) : buffer.array();
        } catch (IOException e) {
            throw absentOrFailed("read", key, e);
        }
    }

    @Override
    public Optional<ObjectAttributes> find(String key) {
        try {
            BasicFileAttributes a = Files.readAttributes(file(key), BasicFileAttributes.class);
            return a.isDirectory() ? Optional.empty() : Optional.of(new ObjectAttributes(key, a.size(), a.lastModifiedTime().toMillis()));
        } catch (IOException e) {
            if (isAbsent(e)) {
                return Optional.empty();
            }
            throw failed("find", key, e);
        }
    }

    @Override
    public void list(String prefix, Consumer<String> keys) {
        Path dir = prefix.isEmpty() ? root : root.resolve(Keys.prefix(prefix));
        List<String> found = new ArrayList<>();
        try {
            for (Path entry : entries(dir)) {
                String key = key(entry);
                if (!Files.isDirectory(entry)) {
                    found.add(key);
                } else if (!isEmpty(entry)) {
                    found.add(key + "/");
                }
            }
        } catch (IOException e) {
            throw failed("list", prefix, e);
        }
        found.sort(Utf8Order::compare);
        found.forEach(keys);
    }

    @Override
    public void listRecursive(String prefix, List<String> cuts, Consumer<ObjectAttributes> objects) {
        Path dir = prefix.isEmpty() ? root : root.resolve(Keys.prefix(prefix));
        try {
            walk(dir, objects);
        } catch (IOException e) {
            throw failed("list", prefix, e);
        }
    }

    /** Directory by directory, entries by the order of their whole keys: a directory sorts as its name with a slash. */
    private void walk(Path dir, Consumer<ObjectAttributes> objects) throws IOException {
        record Entry(String sortKey, Path path, boolean directory) {
        }
        List<Entry> entries = new ArrayList<>();
        for (Path entry : entries(dir)) {
            boolean directory = Files.isDirectory(entry);
            entries.add(new Entry(entry.getFileName() + (directory ? "/" : ""), entry, directory));
        }
        entries.sort((a, b) -> Utf8Order.compare(a.sortKey, b.sortKey));
        for (Entry entry : entries) {
            if (entry.directory) {
                walk(entry.path, objects);
            } else {
                find(key(entry.path)).ifPresent(objects);
            }
        }
    }

    @Override
    public void upload(String key, ObjectBody body) {
        Path target = file(key);
        if (swept.compareAndSet(false, true)) {
            sweep();
        }
        Path temporary = root.resolve(TEMPORARY)
                .resolve(ProcessHandle.current().pid() + "-" + Long.toUnsignedString(ThreadLocalRandom.current().nextLong(), 36));
        Path known = existing(target.getParent());
        try {
            try {
                write(temporary, key, body);
                rename(temporary, target, known);
            } finally {
                Files.deleteIfExists(temporary);
                removeIfEmpty(root.resolve(TEMPORARY));
            }
        } catch (IOException e) {
            throw failed("upload", key, e);
        }
    }

    /** Removes what killed processes left; once for each bucket, and only by those that write. */
    private void sweep() {
        Path directory = root.resolve(TEMPORARY);
        if (!Files.isDirectory(directory)) {
            return;
        }
        Instant before = Instant.now().minus(ABANDONED);
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                if (TEMPORARY_NAME.matcher(file.getFileName().toString()).matches()
                        && Files.getLastModifiedTime(file).toInstant().isBefore(before)) {
                    Files.deleteIfExists(file);
                }
            }
        } catch (IOException | UncheckedIOException e) {
            // Another process sweeps or uploads beside: what is left waits for the next one.
            LOG.debug("abandoned uploads stay directory={} err=\"{}\"", directory, e.toString());
        }
    }

    private void write(Path temporary, String key, ObjectBody body) throws IOException {
        Path file = body.file();
        if (file != null && body.handedOver() && link(temporary, file)) {
            try (FileChannel whole = FileChannel.open(temporary, StandardOpenOption.READ)) {
                Ranges.checkUploaded(name(), key, body.size(), whole.size());
                whole.force(true);
            }
            return;
        }
        try (FileChannel out = createTemporary(temporary)) {
            Ranges.checkUploaded(name(), key, body.size(), file == null ? copy(body, out) : copy(file, body.size(), out));
            out.force(true);
        }
    }

    /** Gives a file a second name; false where that is not possible: on another file system, or one without links. */
    private static boolean link(Path temporary, Path file) throws IOException {
        for (int attempt = 1;; attempt++) {
            createParent(temporary);
            try {
                Files.createLink(temporary, file);
                // An object is as old as its upload: by that age readers tell an upload under way from one that was given up.
                Files.setLastModifiedTime(temporary, FileTime.from(Instant.now()));
                return true;
            } catch (NoSuchFileException e) {
                if (attempt == RENAME_ATTEMPTS || !Files.exists(file)) {
                    throw e;
                }
            } catch (FileSystemException | UnsupportedOperationException e) {
                LOG.debug("copies file={} to the bucket, it cannot be linked err=\"{}\"", file, e.toString());
                Files.deleteIfExists(temporary);
                return false;
            }
        }
    }

    private static long copy(ObjectBody body, FileChannel out) throws IOException {
        try (InputStream in = body.open()) {
            byte[] chunk = new byte[Math.clamp(body.size(), 1, COPY_BYTES)];
            long written = 0;
            for (int n = in.read(chunk); n >= 0 && written <= body.size(); n = in.read(chunk)) {
                ByteBuffer buffer = ByteBuffer.wrap(chunk, 0, n);
                while (buffer.hasRemaining()) {
                    out.write(buffer);
                }
                written += n;
            }
            return written;
        }
    }

    /** From file to file the bytes need not come into this process. */
    private static long copy(Path file, long size, FileChannel out) throws IOException {
        try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
            long written = 0;
            // One byte more is asked for than there should be, so that a file that has grown is noticed.
            for (long n = -1; n != 0 && written <= size; written += n) {
                n = in.transferTo(written, size + 1 - written, out);
            }
            return written;
        }
    }

    private FileChannel createTemporary(Path temporary) throws IOException {
        for (int attempt = 1;; attempt++) {
            try {
                createParent(temporary);
                return FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            } catch (NoSuchFileException e) {
                // Another upload that ended removed the directory meanwhile.
                if (attempt == RENAME_ATTEMPTS) {
                    throw e;
                }
            }
        }
    }

    /**
     * {@link Files#createDirectories} beside removals: where it finds a directory that is gone by the time it looks again, it reports it as
     * an existing file; that is answered as the absence it is. A file that stands in the way stays an error of its own.
     */
    private static void createParent(Path file) throws IOException {
        Path dir = Objects.requireNonNull(file.getParent());
        try {
            Files.createDirectories(dir);
        } catch (FileAlreadyExistsException e) {
            if (e.getFile() != null && Files.isRegularFile(Path.of(e.getFile()))) {
                throw e;
            }
            throw new NoSuchFileException(dir.toString());
        }
    }

    private static @Nullable Path existing(@Nullable Path directory) {
        Path d = directory;
        while (d != null && !Files.exists(d)) {
            d = d.getParent();
        }
        return d;
    }

    /** @param before a directory above that was there before anything was written */
    private void rename(Path from, Path to, @Nullable Path before) throws IOException {
        for (int attempt = 1;; attempt++) {
            try {
                Path known = existing(before);
                createParent(to);
                Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
                syncNames(to, known);
                return;
            } catch (NoSuchFileException e) {
                // A deletion beside removed the still empty directory.
                if (attempt == RENAME_ATTEMPTS) {
                    throw e;
                }
            }
        }
    }

    /** Makes the name of a file durable, and those of its directories below one that was there before. */
    private void syncNames(Path file, @Nullable Path known) throws IOException {
        for (Path dir = file.getParent(); dir != null; dir = dir.getParent()) {
            try {
                sync.directory(dir);
            } catch (NoSuchFileException e) {
                return; // a deletion beside removed the file, and its directory with it
            }
            if (dir.equals(known)) {
                return;
            }
        }
    }

    private static void sync(Path directory) throws IOException {
        try (FileChannel names = FileChannel.open(directory, StandardOpenOption.READ)) {
            names.force(true);
        }
    }

    @Override
    public void delete(String key) {
        Path file = file(key);
        try {
            if (Files.isDirectory(file) || !Files.deleteIfExists(file)) {
                return;
            }
            for (Path dir = file.getParent(); dir != null && !dir.equals(root); dir = dir.getParent()) {
                if (!removeIfEmpty(dir)) {
                    return;
                }
            }
        } catch (IOException e) {
            if (!isAbsent(e)) {
                throw failed("delete", key, e);
            }
        }
    }

    @Override
    public String name() {
        return root.toString();
    }

    @Override
    public void close() {
    }

    private Path file(String key) {
        return root.resolve(Keys.object(key));
    }

    private String key(Path file) {
        return root.relativize(file).toString();
    }

    /** What lies in a directory, nothing where it is absent or a file. */
    private List<Path> entries(Path dir) throws IOException {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(dir)) {
            for (Path entry : stream) {
                if (!(dir.equals(root) && entry.getFileName().toString().equals(TEMPORARY))) {
                    found.add(entry);
                }
            }
        } catch (NoSuchFileException | NotDirectoryException e) {
            return List.of();
        } catch (java.nio.file.DirectoryIteratorException e) {
            throw e.getCause();
        }
        return found;
    }

    private static boolean isEmpty(Path dir) throws IOException {
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(dir)) {
            return !stream.iterator().hasNext();
        } catch (NoSuchFileException | NotDirectoryException e) {
            return true;
        }
    }

    private static boolean removeIfEmpty(Path dir) throws IOException {
        try {
            return Files.deleteIfExists(dir);
        } catch (DirectoryNotEmptyException e) {
            return false;
        }
    }

    /** A path through a file ({@code a/b} where {@code a} is an object) is as absent as a missing one. */
    private static boolean isAbsent(IOException e) {
        String message = e.getMessage();
        return e instanceof NoSuchFileException || e instanceof NotDirectoryException
                || message != null && message.endsWith("Not a directory");
    }

    private RuntimeException absentOrFailed(String operation, String key, IOException e) throws NoSuchObjectException {
        if (isAbsent(e)) {
            throw new NoSuchObjectException(key);
        }
        return failed(operation, key, e);
    }

    private RuntimeException failed(String operation, String key, IOException e) {
        String what = operation + " " + key + " in " + name() + ": ";
        if (e instanceof ClosedByInterruptException) {
            return new CancelledException(CancelledException.Reason.CANCELED, what + "interrupted");
        }
        @Nullable
        String message = e.getMessage();
        return new UnavailableException(what + e.getClass().getSimpleName() + (message == null ? "" : ": " + message), e);
    }
}
