package io.varve.store;

import io.varve.chunk.Chunk;
import io.varve.chunk.Encoding;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.Utf8Order;
import io.varve.model.XxHash64;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * {@code SeriesResponse} frames by hand: written without building messages, read into slices of the frame. The generated types are the slow
 * twin that tests compare with. Field numbers: Thanos {@code storepb/rpc.proto} and {@code storepb/types.proto}.
 */
public final class SeriesFrames {
    private static final String SERIES_HINTS = "type.googleapis.com/hintspb.SeriesResponseHints";

    private SeriesFrames() {
    }

    /**
     * Writes a {@code series} frame into {@code out}, which is cleared first.
     *
     * @param hashes whether chunks carry the xxHash64 of their bytes
     */
    public static void writeSeries(ProtoWriter out, StoreSeries series, boolean hashes) {
        out.clear();
        series(out, series, hashes);
        out.message(1, 0);
    }

    /**
     * Writes a {@code batch} frame into {@code out}, which is cleared first.
     *
     * @param hashes whether chunks carry the xxHash64 of their bytes
     */
    public static void writeBatch(ProtoWriter out, List<StoreSeries> batch, boolean hashes) {
        out.clear();
        for (int i = batch.size() - 1; i >= 0; i--) {
            int mark = out.size();
            series(out, batch.get(i), hashes);
            out.message(1, mark);
        }
        out.message(4, 0);
    }

    /** Writes a {@code warning} frame. */
    public static void writeWarning(ProtoWriter out, String text) {
        out.clear();
        out.string(2, text, true);
    }

    /** Writes a {@code hints} frame that names blocks. */
    public static void writeQueriedBlocks(ProtoWriter out, List<String> ids) {
        out.clear();
        for (int i = ids.size() - 1; i >= 0; i--) {
            int mark = out.size();
            out.string(1, ids.get(i), false);
            out.message(1, mark);
        }
        out.message(2, 0);
        out.string(1, SERIES_HINTS, false);
        out.message(3, 0);
    }

    private static void series(ProtoWriter out, StoreSeries series, boolean hashes) {
        List<StoreChunk> chunks = series.chunks();
        for (int i = chunks.size() - 1; i >= 0; i--) {
            StoreChunk c = chunks.get(i);
            int mark = out.size();
            chunk(out, 8, c.counter(), hashes);
            chunk(out, 7, c.max(), hashes);
            chunk(out, 6, c.min(), hashes);
            chunk(out, 5, c.sum(), hashes);
            chunk(out, 4, c.count(), hashes);
            chunk(out, 3, c.raw(), hashes);
            out.integer(2, c.maxTime());
            out.integer(1, c.minTime());
            out.message(2, mark);
        }
        series.writeLabels(out);
    }

    /** Writes each label as field {@code field}. */
    static void labels(ProtoWriter out, int field, Labels labels) {
        for (int i = labels.size() - 1; i >= 0; i--) {
            int mark = out.size();
            out.string(2, labels.value(i), false);
            out.string(1, labels.name(i), false);
            out.message(field, mark);
        }
    }

    private static void chunk(ProtoWriter out, int field, @Nullable Chunk chunk, boolean hashes) {
        if (chunk == null) {
            return;
        }
        int mark = out.size();
        long hash = !hashes ? 0 : XxHash64.hash(chunk.data(), chunk.offset(), chunk.length());
        if (hash != 0) {
            out.varint(hash);
            out.tag(3, ProtoReader.VARINT);
        }
        out.bytes(2, chunk.data(), chunk.offset(), chunk.length());
        out.integer(1, wireType(chunk.encoding()));
        out.message(field, mark);
    }

    /** The encoding's number in {@code Chunk.Encoding}: that of the TSDB less one. */
    private static int wireType(Encoding e) {
        return e.code() - 1;
    }

    /** What reading a stream carries from frame to frame: labels that came before are not made again. One thread. */
    public static final class Reader {
        /** Raw data and five aggregates. */
        private static final int PARTS = 6;
        private final String file;
        private final LabelReader labels;
        /** Of the chunk that is being read: what its parts are, null where it has none, and where they lie. */
        private final @Nullable Encoding[] encodings = new Encoding[PARTS];
        private final int[] from = new int[PARTS];
        private final int[] lengths = new int[PARTS];

        /**
         * @param from where the frames come from, for messages
         * @param texts texts that other streams may hold as well
         */
        public Reader(String from, LabelTexts texts) {
            this.file = from;
            this.labels = new LabelReader(texts);
        }

        /** Takes what a frame holds, in order. */
        public interface Frames {
            /** A series. */
            void series(StoreSeries series);

            /** A warning. */
            void warning(String text);

            /** Blocks that were asked. */
            void queriedBlocks(List<String> ids);
        }

        /**
         * Reads a frame. Chunks refer to {@code data}, which must not change afterwards.
         *
         * @throws CorruptDataException where the bytes are no frame
         */
        public void read(byte[] data, int offset, int length, Frames into) {
            try {
                ProtoReader r = new ProtoReader(data, offset, length);
                while (r.next()) {
                    switch (r.field()) {
                        case 1 -> {
                            int outer = r.enter();
                            into.series(readSeries(r));
                            r.leave(outer);
                        }
                        case 2 -> into.warning(r.readString());
                        case 3 -> {
                            int outer = r.enter();
                            hints(r, into);
                            r.leave(outer);
                        }
                        case 4 -> {
                            int outer = r.enter();
                            while (r.next()) {
                                if (r.field() == 1) {
                                    int batch = r.enter();
                                    into.series(readSeries(r));
                                    r.leave(batch);
                                } else {
                                    r.skip();
                                }
                            }
                            r.leave(outer);
                        }
                        default -> r.skip();
                    }
                }
            } catch (CorruptDataException e) {
                throw e.in(file, -offset);
            }
        }

        private void hints(ProtoReader r, Frames into) {
            String type = "";
            List<String> ids = new ArrayList<>();
            while (r.next()) {
                switch (r.field()) {
                    case 1 -> type = r.readString();
                    case 2 -> {
                        if (type.endsWith("/hintspb.SeriesResponseHints")) {
                            int outer = r.enter();
                            while (r.next()) {
                                if (r.field() == 1) {
                                    int block = r.enter();
                                    while (r.next()) {
                                        if (r.field() == 1) {
                                            ids.add(r.readString());
                                        } else {
                                            r.skip();
                                        }
                                    }
                                    r.leave(block);
                                } else {
                                    r.skip();
                                }
                            }
                            r.leave(outer);
                        } else {
                            r.skip();
                        }
                    }
                    default -> r.skip();
                }
            }
            if (!ids.isEmpty()) {
                into.queriedBlocks(ids);
            }
        }

        private StoreSeries readSeries(ProtoReader r) {
            List<StoreChunk> chunks = List.of();
            labels.begin(r);
            while (r.next()) {
                switch (r.field()) {
                    case 1 -> labels.label(r);
                    case 2 -> {
                        if (chunks.isEmpty()) {
                            chunks = new ArrayList<>(2);
                        }
                        int outer = r.enter();
                        chunks.add(readChunk(r));
                        r.leave(outer);
                    }
                    default -> r.skip();
                }
            }
            return new StoreSeries(labels.end(), chunks);
        }

        private StoreChunk readChunk(ProtoReader r) {
            long minTime = 0;
            long maxTime = 0;
            // The parts are made last, since they take over the times.
            @Nullable
            Encoding[] found = encodings;
            Arrays.fill(found, null);
            while (r.next()) {
                switch (r.field()) {
                    case 1 -> minTime = r.readLong();
                    case 2 -> maxTime = r.readLong();
                    case 3, 4, 5, 6, 7, 8 -> readPart(r, r.field() - 3);
                    default -> r.skip();
                }
            }
            byte[] data = r.array();
            return new StoreChunk(minTime, maxTime, part(data, 0, minTime, maxTime), part(data, 1, minTime, maxTime),
                    part(data, 2, minTime, maxTime), part(data, 3, minTime, maxTime), part(data, 4, minTime, maxTime),
                    part(data, 5, minTime, maxTime));
        }

        /** Sees where a part of a chunk lies. */
        private void readPart(ProtoReader r, int part) {
            int outer = r.enter();
            long type = 0;
            int data = r.position();
            int length = 0;
            while (r.next()) {
                switch (r.field()) {
                    case 1 -> type = r.readLong();
                    case 2 -> {
                        length = r.length();
                        data = r.position();
                        r.advance(length);
                    }
                    default -> r.skip();
                }
            }
            if (type < 0 || type > 5) {
                throw r.corrupt("chunk encoding " + type);
            }
            r.leave(outer);
            encodings[part] = Encoding.ofCode((int) type + 1);
            from[part] = data;
            lengths[part] = length;
        }

        private @Nullable Chunk part(byte[] data, int part, long minTime, long maxTime) {
            Encoding encoding = encodings[part];
            return encoding == null ? null : new Chunk(minTime, maxTime, encoding, data, from[part], lengths[part]);
        }
    }

    /** Labels from pairs that should be sorted by name; sorted where a peer did not, so that what follows can rely on it. */
    static Labels sorted(String[] pairs) {
        for (int i = 2; i < pairs.length; i += 2) {
            if (Utf8Order.compare(pairs[i - 2], pairs[i]) >= 0) {
                return Labels.of(pairs);
            }
        }
        return Labels.ofSorted(pairs);
    }
}
