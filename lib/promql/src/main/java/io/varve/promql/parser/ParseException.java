package io.varve.promql.parser;

import io.varve.model.InvalidRequestException;

/** A query that is not PromQL. The message is Prometheus': {@code 1:5: parse error: unexpected "}"}. */
public final class ParseException extends InvalidRequestException {
    private static final long serialVersionUID = 1L;

    private final int line;
    private final int column;
    private final int start;
    private final int end;
    private final String reason;

    private ParseException(String place, int line, int column, Position position, String reason) {
        super(place + ": parse error: " + reason);
        this.line = line;
        this.column = column;
        this.start = position.start();
        this.end = position.end();
        this.reason = reason;
    }

    static ParseException at(byte[] query, Position position, String reason) {
        if (query.length == 0) {
            return new ParseException("unknown position", 1, 1, position, reason);
        }
        int line = 1;
        int lineStart = 0;
        int start = Math.min(position.start(), query.length);
        for (int i = 0; i < start; i++) {
            if (query[i] == '\n') {
                line++;
                lineStart = i + 1;
            }
        }
        int column = start - lineStart + 1;
        return new ParseException(line + ":" + column, line, column, position, reason);
    }

    /** Line of the query, from 1. */
    public int line() {
        return line;
    }

    /** Byte of the line, from 1. */
    public int column() {
        return column;
    }

    /** Which bytes of the query are at fault. */
    public Position position() {
        return new Position(start, end);
    }

    /** The text without the place. */
    public String reason() {
        return reason;
    }
}
