/**
 * The index of a block, read from any bytes: a mapped local file, a slice of it that an index header keeps, or ranges that came
 * from an object store.
 *
 * <p>
 * Layout of the file (Prometheus' format, versions 1 and 2): header · {@link io.varve.tsdb.index.Symbols symbols} ·
 * {@link io.varve.tsdb.index.SeriesEntry series} · {@link io.varve.tsdb.index.PostingsList postings} ·
 * {@link io.varve.tsdb.index.PostingsOffsetTable postings offset table} · {@link io.varve.tsdb.index.Toc table of contents}. A query goes
 * from matchers to byte ranges of postings ({@link io.varve.tsdb.index.PostingsPlan}), from postings to series entries, from those to
 * chunk references. {@link io.varve.tsdb.index.IndexReader} does it on a local file; {@link io.varve.tsdb.index.IndexHeader} keeps the parts
 * that a remote reader needs at hand.
 *
 * <p>
 * Any bytes give the right answer or a {@link io.varve.model.CorruptDataException} with file and offset. Hot:
 * {@link io.varve.tsdb.index.Postings} and its implementations, {@link io.varve.tsdb.index.SeriesEntry}.
 */
@NullMarked
package io.varve.tsdb.index;

import org.jspecify.annotations.NullMarked;
