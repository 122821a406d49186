package io.varve.tsdb;

import java.util.Arrays;
import java.util.Optional;
import java.util.random.RandomGenerator;

/**
 * The name of a block: 48 bits of time in milliseconds and 80 random bits, written as 26 characters of Crockford's base 32, so
 * that texts sort as the numbers do. Immutable.
 *
 * @param high the time and the first 16 random bits
 * @param low the other random bits
 */
public record Ulid(long high, long low) implements Comparable<Ulid> {
    /** Characters of the text. */
    public static final int LENGTH = 26;
    /** All zero. */
    public static final Ulid ZERO = new Ulid(0, 0);
    private static final String ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    private static final byte[] VALUES = new byte[128];
    static {
        Arrays.fill(VALUES, (byte) -1);
        for (int i = 0; i < 32; i++) {
            VALUES[ALPHABET.charAt(i)] = (byte) i;
            VALUES[Character.toLowerCase(ALPHABET.charAt(i))] = (byte) i;
        }
    }

    /** A new one for a time, from 0 to 2^48 − 1 milliseconds. */
    public static Ulid of(long timeMillis, RandomGenerator random) {
        if (timeMillis < 0 || timeMillis >= 1L << 48) {
            throw new IllegalArgumentException("time of a ULID must be between 0 and 2^48-1 ms, is " + timeMillis);
        }
        return new Ulid(timeMillis << 16 | random.nextInt(1 << 16), random.nextLong());
    }

    /** The ULID that the text is, empty where it is none. Upper and lower case are read. */
    public static Optional<Ulid> parse(String text) {
        if (text.length() != LENGTH || text.charAt(0) > '7') {
            return Optional.empty();
        }
        long high = 0;
        long low = 0;
        for (int i = 0; i < LENGTH; i++) {
            char c = text.charAt(i);
            int v = c < 128 ? VALUES[c] : -1;
            if (v < 0) {
                return Optional.empty();
            }
            high = high << 5 | low >>> 59;
            low = low << 5 | v;
        }
        return Optional.of(new Ulid(high, low));
    }

    /** As {@link #parse}, for texts that must be one. */
    public static Ulid of(String text) {
        return parse(text).orElseThrow(() -> new IllegalArgumentException("not a ULID: \"" + text + "\""));
    }

    /** When it was made, milliseconds since 1970. */
    public long timeMillis() {
        return high >>> 16;
    }

    @Override
    public int compareTo(Ulid o) {
        int c = Long.compareUnsigned(high, o.high);
        return c != 0 ? c : Long.compareUnsigned(low, o.low);
    }

    /** 26 characters, upper case. */
    @Override
    public String toString() {
        char[] out = new char[LENGTH];
        long h = high;
        long l = low;
        for (int i = LENGTH - 1; i >= 0; i--) {
            out[i] = ALPHABET.charAt((int) l & 31);
            l = l >>> 5 | h << 59;
            h >>>= 5;
        }
        return new String(out);
    }
}
