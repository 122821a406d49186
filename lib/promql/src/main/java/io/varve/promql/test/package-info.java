/**
 * Runs scripts in the language of Prometheus' {@code promqltest}: load samples, evaluate expressions, compare results, errors and
 * annotations. {@link io.varve.promql.test.PromqlTest} is the entry; {@code varve tools promql test} and the module's own tests use it.
 * All rules of the original runner hold: each instant query is repeated with {@code @} at other times and as the middle of a range.
 */
@NullMarked
package io.varve.promql.test;

import org.jspecify.annotations.NullMarked;
