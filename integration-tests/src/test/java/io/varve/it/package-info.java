/** The system as users meet it: real processes, a real Prometheus, a real object store. */
@NullMarked
package io.varve.it;

import org.jspecify.annotations.NullMarked;
