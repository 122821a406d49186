/** The logical plan between syntax and operators, and the rules that rewrite it. */
@NullMarked
package io.varve.promql.plan;

import org.jspecify.annotations.NullMarked;
