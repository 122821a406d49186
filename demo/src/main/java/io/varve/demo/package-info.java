/** To be described. */
@NullMarked
package io.varve.demo;

import org.jspecify.annotations.NullMarked;
