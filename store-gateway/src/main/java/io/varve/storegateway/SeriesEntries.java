package io.varve.storegateway;

import io.varve.tsdb.index.IndexHeader;
import io.varve.tsdb.index.SeriesEntry;
import java.util.List;

/**
 * Goes over the entries of a block's selected series, window by window. Where a series' last chunk ends the entry behind it tells, which is
 * decoded once where it is selected too. One thread.
 */
final class SeriesEntries {
    private final IndexAccess index;
    private final GatewayBlock block;
    private final IndexHeader header;
    private final SeriesQuery query;

    private List<ObjectReader.Slice> slices = List.of();
    private Selection selection = Selection.NONE;
    private int at;
    private int end;
    private SeriesEntry entry = new SeriesEntry();
    /** Where the entry behind it begins. */
    private long behind;
    private SeriesEntry ahead = new SeriesEntry();
    private boolean isAhead;
    private long behindAhead;

    SeriesEntries(IndexAccess index, GatewayBlock block, IndexHeader header, SeriesQuery query) {
        this.index = index;
        this.block = block;
        this.header = header;
        this.query = query;
    }

    /** Reads a window and stands before it. */
    void read(Selection selected, int from, int to) {
        slices = index.entries(block, header, selected, from, to, query);
        selection = selected;
        at = from - 1;
        end = to;
        isAhead = false;
    }

    /** Moves to the next series; false at the end of the window. */
    boolean next() {
        at++;
        if (at == end) {
            return false;
        }
        if ((at & 255) == 0) {
            query.context().check();
        }
        if (isAhead) {
            SeriesEntry other = entry;
            entry = ahead;
            ahead = other;
            behind = behindAhead;
            isAhead = false;
        } else {
            behind = decode(offset(), entry);
        }
        return true;
    }

    /** The series it stands on, until it moves. */
    SeriesEntry entry() {
        return entry;
    }

    /** Where its entry lies in the index. */
    long offset() {
        return selection.offset(at);
    }

    /** How long it is, with what fills it up to where another may begin. */
    long length() {
        return behind - offset();
    }

    /** Where the first chunk of the series behind this one begins, {@link Selection#LAST} or {@link Selection#UNKNOWN}. */
    long followingChunk() {
        if (isAhead || at + 1 < end && selection.offset(at + 1) == behind) {
            if (!isAhead) {
                behindAhead = decode(behind, ahead);
                isAhead = true;
            }
            return ahead.chunkCount == 0 ? Selection.UNKNOWN : ahead.refs[0];
        }
        return IndexAccess.firstChunk(header, slices, behind, entry);
    }

    private long decode(long offset, SeriesEntry into) {
        return IndexAccess.following(header, offset, index.decode(block, slices, offset, into, query));
    }
}
