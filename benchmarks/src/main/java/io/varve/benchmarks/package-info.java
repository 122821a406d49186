/** To be described. */
@NullMarked
package io.varve.benchmarks;

import org.jspecify.annotations.NullMarked;
