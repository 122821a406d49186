package io.varve.store;

import io.grpc.Metadata;
import io.varve.model.CorruptDataException;
import io.varve.model.Coverage;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a coverage report travels from a store to whoever asked it: as trailing metadata of the call, which peers that do not know it ignore,
 * and only where the caller's own metadata asks for it. It comes with failures too. The form is varve's own: protobuf,
 * {@code Report {1 incomplete, 2 stores, 3 blocks, 4 left out}}, {@code Store {1 address, 2 outcome, 3 first, 4 last, 5 series, 6 replicas,
 * 7 resolutions, 8 detail, 9 report}}, {@code Block {1 id, 2 resolution}}.
 */
final class CoverageTrailer {
    private static final Metadata.Key<String> WANTED = Metadata.Key.of("varve-coverage", Metadata.ASCII_STRING_MARSHALLER);
    private static final Metadata.Key<byte[]> REPORT = Metadata.Key.of("varve-coverage-bin", Metadata.BINARY_BYTE_MARSHALLER);
    /** Proxies on the way accept about this much metadata. */
    private static final int MAX_BYTES = 32 << 10;
    private static final int MAX_DETAIL = 200;
    private static final int MAX_DEPTH = 8;

    private CoverageTrailer() {
    }

    /** Notes in a call's headers that a report is wanted. */
    static void ask(Metadata headers) {
        headers.put(WANTED, "1");
    }

    static boolean wanted(Metadata headers) {
        return headers.containsKey(WANTED);
    }

    /** Adds the report to a call's trailers; blocks and long texts stay behind where it would be too large. */
    static void put(Metadata trailers, Coverage coverage) {
        Coverage.Report report = coverage.report();
        if (report.isEmpty()) {
            return;
        }
        byte[] b = write(report);
        if (b.length > MAX_BYTES) {
            b = write(cut(report, true));
        }
        if (b.length > MAX_BYTES) {
            b = write(cut(report, false));
        }
        if (b.length > MAX_BYTES) {
            b = write(new Coverage.Report(report.complete(), List.of(), List.of(), count(report)));
        }
        trailers.put(REPORT, b);
    }

    /** The report in a call's trailers; null where there is none or it cannot be read. */
    static Coverage.@Nullable Report read(Metadata trailers) {
        byte[] b = trailers.get(REPORT);
        if (b == null) {
            return null;
        }
        try {
            return report(new ProtoReader(b, 0, b.length), 0);
        } catch (CorruptDataException e) {
            return null;
        }
    }

    private static long count(Coverage.Report r) {
        long n = r.blocks().size() + r.stores().size() + r.leftOut();
        for (Coverage.Store s : r.stores()) {
            n += count(s.below());
        }
        return n;
    }

    /** Without blocks; and, unless all stores are to be kept, without those that answered. */
    private static Coverage.Report cut(Coverage.Report r, boolean allStores) {
        List<Coverage.Store> stores = new ArrayList<>();
        long left = r.leftOut() + r.blocks().size();
        for (Coverage.Store s : r.stores()) {
            if (!allStores && s.outcome() == Coverage.Outcome.ANSWERED) {
                left += 1 + count(s.below());
                continue;
            }
            String detail = s.detail().length() > MAX_DETAIL ? s.detail().substring(0, MAX_DETAIL) : s.detail();
            stores.add(new Coverage.Store(s.address(), s.outcome(), s.minTime(), s.maxTime(), s.series(), s.replicas(), s.resolutions(),
                    detail, cut(s.below(), allStores)));
        }
        return new Coverage.Report(r.complete(), stores, List.of(), left);
    }

    private static byte[] write(Coverage.Report report) {
        ProtoWriter out = new ProtoWriter(512);
        write(out, report);
        return out.toByteArray();
    }

    private static void write(ProtoWriter out, Coverage.Report r) {
        out.integer(4, r.leftOut());
        for (Coverage.Block b : r.blocks().reversed()) {
            int mark = out.size();
            out.integer(2, b.resolutionMillis());
            out.string(1, b.id(), false);
            out.message(3, mark);
        }
        for (Coverage.Store s : r.stores().reversed()) {
            int mark = out.size();
            if (!s.below().isEmpty()) {
                int inner = out.size();
                write(out, s.below());
                out.message(9, inner);
            }
            out.string(8, s.detail(), false);
            for (long resolution : s.resolutions().reversed()) {
                out.varint(resolution);
                out.tag(7, ProtoReader.VARINT);
            }
            for (String replica : s.replicas().reversed()) {
                out.string(6, replica, true);
            }
            out.integer(5, s.series());
            out.integer(4, s.maxTime());
            out.integer(3, s.minTime());
            out.integer(2, s.outcome().ordinal());
            out.string(1, s.address(), false);
            out.message(2, mark);
        }
        out.bool(1, !r.complete());
    }

    private static Coverage.Report report(ProtoReader r, int depth) {
        if (depth > MAX_DEPTH) {
            throw r.corrupt("coverage report of more than " + MAX_DEPTH + " levels");
        }
        boolean complete = true;
        List<Coverage.Store> stores = new ArrayList<>();
        List<Coverage.Block> blocks = new ArrayList<>();
        long leftOut = 0;
        while (r.next()) {
            switch (r.field()) {
                case 1 -> complete = !r.readBool();
                case 2 -> {
                    int outer = r.enter();
                    stores.add(store(r, depth));
                    r.leave(outer);
                }
                case 3 -> {
                    int outer = r.enter();
                    String id = "";
                    long resolution = 0;
                    while (r.next()) {
                        switch (r.field()) {
                            case 1 -> id = r.readString();
                            case 2 -> resolution = r.readLong();
                            default -> r.skip();
                        }
                    }
                    r.leave(outer);
                    blocks.add(new Coverage.Block(id, resolution));
                }
                case 4 -> leftOut = r.readLong();
                default -> r.skip();
            }
        }
        return new Coverage.Report(complete, List.copyOf(stores), List.copyOf(blocks), leftOut);
    }

    private static Coverage.Store store(ProtoReader r, int depth) {
        String address = "";
        Coverage.Outcome outcome = Coverage.Outcome.ANSWERED;
        long min = 0;
        long max = 0;
        long series = 0;
        List<String> replicas = new ArrayList<>();
        List<Long> resolutions = new ArrayList<>();
        String detail = "";
        Coverage.Report below = Coverage.Report.EMPTY;
        while (r.next()) {
            switch (r.field()) {
                case 1 -> address = r.readString();
                case 2 -> {
                    int i = r.readInt();
                    Coverage.Outcome[] all = Coverage.Outcome.values();
                    outcome = i >= 0 && i < all.length ? all[i] : Coverage.Outcome.FAILED;
                }
                case 3 -> min = r.readLong();
                case 4 -> max = r.readLong();
                case 5 -> series = r.readLong();
                case 6 -> replicas.add(r.readString());
                case 7 -> resolutions.add(r.readLong());
                case 8 -> detail = r.readString();
                case 9 -> {
                    int outer = r.enter();
                    below = report(r, depth + 1);
                    r.leave(outer);
                }
                default -> r.skip();
            }
        }
        return new Coverage.Store(address, outcome, min, max, series, List.copyOf(replicas), List.copyOf(resolutions), detail, below);
    }
}
