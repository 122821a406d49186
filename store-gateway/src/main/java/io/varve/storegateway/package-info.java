/** To be described. */
@NullMarked
package io.varve.storegateway;

import org.jspecify.annotations.NullMarked;
