/** To be described. */
@NullMarked
package io.varve.promql;

import org.jspecify.annotations.NullMarked;
