package io.varve.block;

import io.varve.model.CorruptDataException;
import io.varve.tsdb.BlockMeta;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Pattern;

/** The files of a block in a local directory. */
final class BlockFiles {
    static final String INDEX = "index";
    static final String CHUNKS = "chunks";
    static final Pattern SEGMENT = Pattern.compile("\\d{6}");

    private BlockFiles() {
    }

    /** Names of the chunk segments, in order. */
    static List<String> segments(Path block) throws IOException {
        List<String> names = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(block.resolve(CHUNKS))) {
            for (Path entry : entries) {
                String name = entry.getFileName().toString();
                if (SEGMENT.matcher(name).matches() && Files.isRegularFile(entry)) {
                    names.add(name);
                }
            }
        } catch (NoSuchFileException e) {
            // A block without samples may have no chunk directory.
            return List.of();
        }
        names.sort(Comparator.naturalOrder());
        return names;
    }

    /** What goes into {@code thanos.files}: segments, index and meta.json, by path; the last has neither size nor hash. */
    static List<BlockMeta.FileEntry> entries(Path block, BlockUploader.Hash hash) throws IOException {
        List<BlockMeta.FileEntry> entries = new ArrayList<>();
        for (String segment : segments(block)) {
            entries.add(entry(block, CHUNKS + "/" + segment, hash));
        }
        if (!Files.isRegularFile(block.resolve(INDEX))) {
            throw new CorruptDataException(block.resolve(INDEX).toString(), -1, "a block needs an index, found none");
        }
        entries.add(entry(block, INDEX, hash));
        entries.add(new BlockMeta.FileEntry(BlockMeta.FILE, 0));
        return entries;
    }

    private static BlockMeta.FileEntry entry(Path block, String path, BlockUploader.Hash hash) throws IOException {
        Path file = block.resolve(path);
        return switch (hash) {
            case NONE -> new BlockMeta.FileEntry(path, Files.size(file));
            case SHA256 -> new BlockMeta.FileEntry(path, Files.size(file), Sha256.NAME, Sha256.of(file));
        };
    }

    /** The hash that {@code thanos.files} may carry. */
    static final class Sha256 {
        static final String NAME = "SHA256";

        private Sha256() {
        }

        static MessageDigest digest() {
            try {
                return MessageDigest.getInstance("SHA-256");
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException(e);
            }
        }

        static String of(Path file) throws IOException {
            try (DigestInputStream in = new DigestInputStream(Files.newInputStream(file), digest());
                    var out = java.io.OutputStream.nullOutputStream()) {
                in.transferTo(out);
                return hex(in.getMessageDigest());
            }
        }

        static String hex(MessageDigest digest) {
            return HexFormat.of().formatHex(digest.digest());
        }
    }
}
