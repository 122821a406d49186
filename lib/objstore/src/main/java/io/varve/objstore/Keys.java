package io.varve.objstore;

import io.varve.model.InvalidRequestException;

/** Rules that object keys keep in every bucket. */
final class Keys {
    private Keys() {
    }

    /**
     * Returns the key of an object.
     *
     * @throws InvalidRequestException where a file system could not hold it, or would hold it elsewhere: empty keys, empty, {@code .}
     *         and {@code ..} segments, NUL
     */
    static String object(String key) {
        if (key.isEmpty()) {
            throw new InvalidRequestException("object key is empty");
        }
        return check(key);
    }

    /** Returns a prefix to list: as an object's key, or empty for the root. */
    static String prefix(String prefix) {
        return prefix.isEmpty() ? prefix : check(prefix);
    }

    private static String check(String key) {
        int start = 0;
        while (start <= key.length()) {
            int slash = key.indexOf('/', start);
            int end = slash < 0 ? key.length() : slash;
            String segment = key.substring(start, end);
            if (segment.isEmpty() || segment.equals(".") || segment.equals("..") || segment.indexOf('\0') >= 0) {
                throw new InvalidRequestException(
                        "object key \"" + key
                                + "\" is refused: expected segments separated by single slashes, none of them \".\" or \"..\"");
            }
            start = end + 1;
        }
        return key;
    }
}
