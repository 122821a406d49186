package io.varve.store;

import io.varve.chunk.Chunk;
import io.varve.chunk.Encoding;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.Utf8Order;
import io.varve.model.XxHash64;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
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

    /** Writes a {@code series} frame into {@code out}, which is cleared first. */
    public static void writeSeries(ProtoWriter out, StoreSeries series) {
        out.clear();
        series(out, series);
        out.message(1, 0);
    }

    /** Writes a {@code batch} frame into {@code out}, which is cleared first. */
    public static void writeBatch(ProtoWriter out, List<StoreSeries> batch) {
        out.clear();
        for (int i = batch.size() - 1; i >= 0; i--) {
            int mark = out.size();
            series(out, batch.get(i));
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

    private static void series(ProtoWriter out, StoreSeries series) {
        List<StoreChunk> chunks = series.chunks();
        for (int i = chunks.size() - 1; i >= 0; i--) {
            StoreChunk c = chunks.get(i);
            int mark = out.size();
            chunk(out, 8, c.counter());
            chunk(out, 7, c.max());
            chunk(out, 6, c.min());
            chunk(out, 5, c.sum());
            chunk(out, 4, c.count());
            chunk(out, 3, c.raw());
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

    private static void chunk(ProtoWriter out, int field, @Nullable Chunk chunk) {
        if (chunk == null) {
            return;
        }
        int mark = out.size();
        long hash = XxHash64.hash(chunk.data(), chunk.offset(), chunk.length());
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

    /** What reading a stream carries from frame to frame: label texts that came before are not made again. One thread. */
    public static final class Reader {
        private static final int TEXTS = 2048;
        private final String[] texts = new String[TEXTS];
        private final String file;

        /**
         * @param from where the frames come from, for messages
         */
        public Reader(String from) {
            this.file = from;
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
            List<StoreChunk> chunks = new ArrayList<>(4);
            String[] pairs = new String[16];
            int n = 0;
            while (r.next()) {
                switch (r.field()) {
                    case 1 -> {
                        if (n == pairs.length) {
                            pairs = java.util.Arrays.copyOf(pairs, n * 2);
                        }
                        readLabel(r, pairs, n);
                        n += 2;
                    }
                    case 2 -> {
                        int outer = r.enter();
                        chunks.add(readChunk(r));
                        r.leave(outer);
                    }
                    default -> r.skip();
                }
            }
            return new StoreSeries(sorted(n == pairs.length ? pairs : java.util.Arrays.copyOf(pairs, n)), chunks);
        }

        void readLabel(ProtoReader r, String[] pairs, int at) {
            int outer = r.enter();
            pairs[at] = "";
            pairs[at + 1] = "";
            while (r.next()) {
                switch (r.field()) {
                    case 1 -> pairs[at] = text(r);
                    case 2 -> pairs[at + 1] = text(r);
                    default -> r.skip();
                }
            }
            r.leave(outer);
        }

        /** A text, the same object where the same bytes came before. */
        private String text(ProtoReader r) {
            int length = r.length();
            int from = r.position();
            r.advance(length);
            byte[] data = r.array();
            if (length > 128) {
                return new String(data, from, length, StandardCharsets.UTF_8);
            }
            int h = length;
            for (int i = 0; i < length; i++) {
                h = h * 31 + data[from + i];
            }
            int slot = (h ^ h >>> 15) & TEXTS - 1;
            String known = texts[slot];
            if (known != null && same(known, data, from, length)) {
                return known;
            }
            String fresh = new String(data, from, length, StandardCharsets.UTF_8);
            texts[slot] = fresh;
            return fresh;
        }

        private static boolean same(String s, byte[] data, int from, int length) {
            if (s.length() != length) {
                return false;
            }
            for (int i = 0; i < length; i++) {
                if (s.charAt(i) != data[from + i]) {
                    return false;
                }
            }
            return true;
        }

        private StoreChunk readChunk(ProtoReader r) {
            long minTime = 0;
            long maxTime = 0;
            // Where the parts lie: they are read last, since they take over the times.
            int[] at = new int[6];
            int[] lengths = new int[6];
            java.util.Arrays.fill(at, -1);
            while (r.next()) {
                switch (r.field()) {
                    case 1 -> minTime = r.readLong();
                    case 2 -> maxTime = r.readLong();
                    case 3, 4, 5, 6, 7, 8 -> {
                        int k = r.field() - 3;
                        lengths[k] = r.length();
                        at[k] = r.position();
                        r.advance(lengths[k]);
                    }
                    default -> r.skip();
                }
            }
            return new StoreChunk(minTime, maxTime, part(r, at[0], lengths[0], minTime, maxTime),
                    part(r, at[1], lengths[1], minTime, maxTime),
                    part(r, at[2], lengths[2], minTime, maxTime), part(r, at[3], lengths[3], minTime, maxTime),
                    part(r, at[4], lengths[4], minTime, maxTime), part(r, at[5], lengths[5], minTime, maxTime));
        }

        private static @Nullable Chunk part(ProtoReader outer, int at, int length, long minTime, long maxTime) {
            if (at < 0) {
                return null;
            }
            ProtoReader r = new ProtoReader(outer.array(), at, length);
            long type = 0;
            int data = at;
            int dataLength = 0;
            while (r.next()) {
                switch (r.field()) {
                    case 1 -> type = r.readLong();
                    case 2 -> {
                        dataLength = r.length();
                        data = r.position();
                        r.advance(dataLength);
                    }
                    default -> r.skip();
                }
            }
            if (type < 0 || type > 5) {
                throw r.corrupt("chunk encoding " + type);
            }
            return new Chunk(minTime, maxTime, Encoding.ofCode((int) type + 1), outer.array(), data, dataLength);
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
