/** What functions compute, over windows of decoded samples or over rows; knows no operators. */
@NullMarked
package io.varve.promql.function;

import org.jspecify.annotations.NullMarked;
