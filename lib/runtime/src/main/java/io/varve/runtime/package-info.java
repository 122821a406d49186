/** To be described. */
@NullMarked
package io.varve.runtime;

import org.jspecify.annotations.NullMarked;
