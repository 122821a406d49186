/**
 * The PromQL language: text to tree and back. {@link io.varve.promql.parser.Parser} reads expressions into
 * {@link io.varve.promql.parser.Expr}, {@link io.varve.promql.parser.Printer} writes them on one line,
 * {@link io.varve.promql.parser.Prettifier} on many, {@link io.varve.promql.parser.AstJson} as JSON;
 * {@link io.varve.promql.parser.Preprocessor} makes a tree ready for a query's times. Errors carry Prometheus' texts and places.
 */
@NullMarked
package io.varve.promql.parser;

import org.jspecify.annotations.NullMarked;
