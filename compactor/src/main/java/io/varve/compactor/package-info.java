/** To be described. */
@NullMarked
package io.varve.compactor;

import org.jspecify.annotations.NullMarked;
