/** To be described. */
@NullMarked
package io.varve.dist;

import org.jspecify.annotations.NullMarked;
