package io.varve.objstore;

import io.varve.model.InvalidRequestException;
import io.varve.model.UnavailableException;

/** Checks that all buckets make of what they are asked for and given. */
final class Ranges {
    private Ranges() {
    }

    /** The offset, where offset and length can be a range. */
    static long check(String key, long offset, int length) {
        if (offset < 0 || length < 0) {
            throw new InvalidRequestException("range of " + key + " is refused: offset " + offset + ", length " + length);
        }
        return offset;
    }

    /** A body that gives another number of bytes than it says changed while it was read; such an object must not be stored. */
    static void checkUploaded(String bucket, String key, long expected, long found) {
        if (expected != found) {
            throw new UnavailableException("upload " + key + " to " + bucket + ": body has " + found + " bytes, expected " + expected);
        }
    }
}
