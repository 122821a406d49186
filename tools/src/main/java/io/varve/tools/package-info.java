/** To be described. */
@NullMarked
package io.varve.tools;

import org.jspecify.annotations.NullMarked;
