package io.varve.promql.parser;

/**
 * Where a node or token stands in the query, in bytes of its UTF-8 form, as Prometheus reports it.
 *
 * @param start first byte
 * @param end one past the last byte
 */
public record Position(int start, int end) {
    /** This start with the end of what it is a part of, for a note: see {@link io.varve.promql.function.Notes}. */
    public Position within(Position whole) {
        return new Position(start, Math.max(end, whole.end));
    }

    /** Of what was not written by anyone. */
    public static final Position NONE = new Position(0, 0);
}
