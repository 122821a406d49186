/** The distribution: one launcher for all processes. */
@NullMarked
package io.varve.dist;

import org.jspecify.annotations.NullMarked;
