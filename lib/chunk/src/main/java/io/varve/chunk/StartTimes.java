package io.varve.chunk;

/**
 * The start timestamps of a chunk, written after each sample. The header byte says in its top bit whether the first sample has
 * one, and below it from which sample on (1 to 127, 0 never) each sample carries its own; before that the first one's holds.
 * From there a sample carries the previous sample's time minus its start timestamp: the first time in full, then the change.
 */
final class StartTimes {
    /** Seven bits hold no more: a chunk that reaches this sample begins to carry start timestamps at it. */
    private static final int FORCED = 127;

    private StartTimes() {
    }

    /** The reading side. */
    static final class Reader {
        private final boolean firstKnown;
        private final int from;
        private long difference;
        private long current;

        Reader(int header) {
            firstKnown = (header & 0x80) != 0;
            from = header & 0x7F;
        }

        /**
         * Reads what follows the sample {@code index}.
         *
         * @param time the sample's time
         * @param timeBefore time of the sample before
         * @return its start timestamp, 0 unknown
         */
        long read(BitReader in, int index, long time, long timeBefore) {
            if (index == 0) {
                if (firstKnown) {
                    current = time - in.varint();
                }
            } else if (from > 0 && index >= from) {
                difference = index == from ? in.varbitInt() : difference + in.varbitInt();
                current = timeBefore - difference;
            }
            return current;
        }
    }

    /** The writing side. */
    static final class Writer {
        private boolean firstKnown;
        private int from;
        private long difference;
        private long current;

        /** Writes what follows the sample {@code index}. */
        void write(BitWriter out, int index, long time, long timeBefore, long startTimestamp) {
            if (index == 0) {
                firstKnown = startTimestamp != 0;
                if (firstKnown) {
                    out.varint(time - startTimestamp);
                }
            } else if (from > 0) {
                long d = timeBefore - startTimestamp;
                out.varbitInt(d - difference);
                difference = d;
            } else if (startTimestamp != current || index == FORCED) {
                from = index;
                difference = timeBefore - startTimestamp;
                out.varbitInt(difference);
            }
            current = startTimestamp;
        }

        /** The header byte for all that was written. */
        byte header() {
            return (byte) ((firstKnown ? 0x80 : 0) | from);
        }
    }
}
