package io.varve.promql.function;

/**
 * Sorts as Go's {@code sort.Sort} does, so that what compares as equal ends up in the same order: a pattern-defeating quicksort (Peters),
 * which is not stable but always does the same to the same input. It takes any predicate, also one that says of two not-a-numbers that
 * each is less than the other, as Prometheus' do.
 *
 * @param <T> what is sorted
 */
public final class UnstableSort<T> {
    private static final int INSERTION = 12;
    private static final int NINTHER = 50;
    private static final int MOST_SWAPS = 12;

    /** Whether one comes before another. */
    @FunctionalInterface
    public interface Less<T> {
        /** Whether {@code a} comes before {@code b}. */
        boolean test(T a, T b);
    }

    private final T[] data;
    private final Less<T> less;
    private int swaps;

    private UnstableSort(T[] data, Less<T> less) {
        this.data = data;
        this.less = less;
    }

    /** Sorts the array in place. */
    public static <T> void sort(T[] data, Less<T> less) {
        new UnstableSort<>(data, less).sort(0, data.length, 32 - Integer.numberOfLeadingZeros(data.length));
    }

    private boolean less(int i, int j) {
        return less.test(data[i], data[j]);
    }

    private void swap(int i, int j) {
        T x = data[i];
        data[i] = data[j];
        data[j] = x;
    }

    private void sort(int from, int to, int badPivots) {
        int a = from;
        int b = to;
        int limit = badPivots;
        boolean balanced = true;
        boolean partitioned = true;
        while (true) {
            int length = b - a;
            if (length <= INSERTION) {
                insertion(a, b);
                return;
            }
            if (limit == 0) {
                heap(a, b);
                return;
            }
            if (!balanced) {
                breakPattern(a, length);
                limit--;
            }
            int pivot = pivot(a, length);
            boolean rising = swaps == 0;
            if (swaps == MOST_SWAPS) {
                for (int i = a, j = b - 1; i < j; i++, j--) {
                    swap(i, j);
                }
                pivot = b - 1 - (pivot - a);
                rising = true;
            }
            if (balanced && partitioned && rising && fewMoves(a, b)) {
                return;
            }
            if (a > 0 && !less(a - 1, pivot)) {
                // Nothing here is less than what is to the left: all that equals the pivot is in its place.
                a = behindEqual(a, b, pivot);
                continue;
            }
            swap(a, pivot);
            int i = a + 1;
            int j = b - 1;
            partitioned = true;
            while (true) {
                while (i <= j && less(i, a)) {
                    i++;
                }
                while (i <= j && !less(j, a)) {
                    j--;
                }
                if (i > j) {
                    break;
                }
                partitioned = false;
                swap(i++, j--);
            }
            swap(j, a);
            if (j - a < b - j) {
                balanced = j - a >= length / 8;
                sort(a, j, limit);
                a = j + 1;
            } else {
                balanced = b - j >= length / 8;
                sort(j + 1, b, limit);
                b = j;
            }
        }
    }

    private void insertion(int a, int b) {
        for (int i = a + 1; i < b; i++) {
            for (int j = i; j > a && less(j, j - 1); j--) {
                swap(j, j - 1);
            }
        }
    }

    private void heap(int a, int b) {
        int n = b - a;
        for (int i = (n - 1) / 2; i >= 0; i--) {
            sift(i, n, a);
        }
        for (int i = n - 1; i >= 0; i--) {
            swap(a, a + i);
            sift(0, i, a);
        }
    }

    private void sift(int from, int n, int first) {
        int root = from;
        while (2 * root + 1 < n) {
            int child = 2 * root + 1;
            if (child + 1 < n && less(first + child, first + child + 1)) {
                child++;
            }
            if (!less(first + root, first + child)) {
                return;
            }
            swap(first + root, first + child);
            root = child;
        }
    }

    /** Moves three in the middle elsewhere, by numbers that look random and follow from the length. */
    private void breakPattern(int a, int length) {
        long random = length;
        int mask = Integer.highestOneBit(length) * 2 - 1;
        int at = a + length / 4 * 2 - 1;
        for (int i = 0; i < 3; i++) {
            random ^= random << 13;
            random ^= random >>> 7;
            random ^= random << 17;
            int other = (int) random & mask;
            swap(at - 1 + i, a + (other >= length ? other - length : other));
        }
    }

    /** A median of three, or of three medians; {@link #swaps} tells how far they were from being in order. */
    private int pivot(int a, int length) {
        swaps = 0;
        int i = a + length / 4;
        int j = a + length / 4 * 2;
        int k = a + length / 4 * 3;
        if (length >= NINTHER) {
            i = median(i - 1, i, i + 1);
            j = median(j - 1, j, j + 1);
            k = median(k - 1, k, k + 1);
        }
        return median(i, j, k);
    }

    private int median(int x, int y, int z) {
        int a = x;
        int b = y;
        int c = z;
        if (less(b, a)) {
            swaps++;
            int t = a;
            a = b;
            b = t;
        }
        if (less(c, b)) {
            swaps++;
            b = c;
        }
        if (less(b, a)) {
            swaps++;
            b = a;
        }
        return b;
    }

    /** Sorts what is nearly sorted; false where it is not. */
    private boolean fewMoves(int a, int b) {
        int i = a + 1;
        for (int step = 0; step < 5; step++) {
            while (i < b && !less(i, i - 1)) {
                i++;
            }
            if (i == b) {
                return true;
            }
            if (b - a < NINTHER) {
                return false;
            }
            swap(i, i - 1);
            if (i - a >= 2) {
                for (int j = i - 1; j >= 1 && less(j, j - 1); j--) {
                    swap(j, j - 1);
                }
            }
            if (b - i >= 2) {
                for (int j = i + 1; j < b && less(j, j - 1); j++) {
                    swap(j, j - 1);
                }
            }
        }
        return false;
    }

    private int behindEqual(int a, int b, int pivot) {
        swap(a, pivot);
        int i = a + 1;
        int j = b - 1;
        while (true) {
            while (i <= j && !less(a, i)) {
                i++;
            }
            while (i <= j && less(a, j)) {
                j--;
            }
            if (i > j) {
                return i;
            }
            swap(i++, j--);
        }
    }
}
