/** To be described. */
@NullMarked
package io.varve.sidecar;

import org.jspecify.annotations.NullMarked;
