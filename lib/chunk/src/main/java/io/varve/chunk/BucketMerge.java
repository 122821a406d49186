package io.varve.chunk;

import io.varve.model.Span;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The buckets of a chunk and those of a sample put together.
 *
 * @param spans all buckets of both, in the shortest form
 * @param count how many that are
 * @param ofChunk where the chunk's buckets stand among them
 * @param ofSample where the sample's buckets stand among them
 * @param chunkGrows whether the sample has buckets that the chunk has not
 * @param sampleGrows whether the chunk has buckets that the sample has not
 */
record BucketMerge(List<Span> spans, int count, Places ofChunk, Places ofSample, boolean chunkGrows, boolean sampleGrows) {
    /** The places of buckets among others; null are their own. */
    record Places(int @Nullable [] at) {
        static final Places SAME = new Places(null);

        int of(int i) {
            return at == null ? i : at[i];
        }
    }

    static BucketMerge of(List<Span> chunk, List<Span> sample) {
        if (chunk.equals(sample)) {
            return new BucketMerge(sample, HistogramLayout.count(sample), Places.SAME, Places.SAME, false, false);
        }
        long[] a = indices(chunk);
        long[] b = indices(sample);
        int[] aAt = new int[a.length];
        int[] bAt = new int[b.length];
        long[] union = new long[a.length + b.length];
        int i = 0;
        int j = 0;
        int n = 0;
        while (i < a.length || j < b.length) {
            boolean useA = i < a.length && (j == b.length || a[i] <= b[j]);
            boolean useB = j < b.length && (i == a.length || b[j] <= a[i]);
            union[n] = useA ? a[i] : b[j];
            if (useA) {
                aAt[i++] = n;
            }
            if (useB) {
                bAt[j++] = n;
            }
            n++;
        }
        return new BucketMerge(spans(union, n), n, new Places(aAt), new Places(bAt), n > a.length, n > b.length);
    }

    private static long[] indices(List<Span> spans) {
        long[] out = new long[HistogramLayout.count(spans)];
        int n = 0;
        long index = 0;
        for (Span s : spans) {
            index += s.offset();
            for (int k = 0; k < s.length(); k++) {
                out[n++] = index++;
            }
        }
        return out;
    }

    private static List<Span> spans(long[] indices, int n) {
        List<Span> out = new ArrayList<>();
        long next = 0;
        for (int i = 0; i < n;) {
            int from = i;
            do {
                i++;
            } while (i < n && indices[i] == indices[i - 1] + 1);
            out.add(new Span((int) (indices[from] - next), i - from));
            next = indices[i - 1] + 1;
        }
        return List.copyOf(out);
    }

    /**
     * Whether some bucket of the chunk's last sample has more than the sample, which a counter cannot lose without a reset.
     *
     * @param last numbers of the chunk's last sample, its buckets from {@code lastFrom}
     * @param now numbers of the sample, its buckets from {@code nowFrom}
     */
    boolean lost(boolean ints, long[] last, int lastFrom, int lastCount, long[] now, int nowFrom, int nowCount) {
        long lastInt = 0;
        long nowInt = 0;
        int j = 0;
        for (int i = 0; i < lastCount; i++) {
            int place = ofChunk.of(i);
            lastInt += last[lastFrom + i];
            while (j < nowCount && ofSample.of(j) < place) {
                nowInt += now[nowFrom + j++];
            }
            boolean there = j < nowCount && ofSample.of(j) == place;
            if (there) {
                nowInt += now[nowFrom + j];
            }
            if (ints) {
                if (there ? lastInt > nowInt : lastInt != 0) {
                    return true;
                }
            } else {
                double before = Double.longBitsToDouble(last[lastFrom + i]);
                if (there ? before > Double.longBitsToDouble(now[nowFrom + j]) : before != 0) {
                    return true;
                }
            }
            if (there) {
                j++;
            }
        }
        return false;
    }
}
