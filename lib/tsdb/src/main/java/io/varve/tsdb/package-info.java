/** To be described. */
@NullMarked
package io.varve.tsdb;

import org.jspecify.annotations.NullMarked;
