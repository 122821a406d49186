/** Operators: they pull rows, one series over all steps at a time, from the ones below. */
@NullMarked
package io.varve.promql.exec;

import org.jspecify.annotations.NullMarked;
