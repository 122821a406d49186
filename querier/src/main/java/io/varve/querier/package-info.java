/** To be described. */
@NullMarked
package io.varve.querier;

import org.jspecify.annotations.NullMarked;
