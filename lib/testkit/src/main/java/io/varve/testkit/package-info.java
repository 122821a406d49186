/** To be described. */
@NullMarked
package io.varve.testkit;

import org.jspecify.annotations.NullMarked;
