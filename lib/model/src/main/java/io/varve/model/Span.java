package io.varve.model;

/**
 * A run of consecutive buckets of a native histogram.
 *
 * @param offset buckets between the end of the span before and this one; for the first span the index of its first bucket
 * @param length how many buckets it has
 */
public record Span(int offset, int length) {
}
