/** To be described. */
@NullMarked
package io.varve.block;

import org.jspecify.annotations.NullMarked;
