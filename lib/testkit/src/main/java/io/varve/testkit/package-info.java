/**
 * What tests of all modules share: golden data of real peers ({@link io.varve.testkit.Shared}), random cases that replay
 * ({@link io.varve.testkit.Seeds}), directories that vanish ({@link io.varve.testkit.TempTree}). Knows neither JUnit nor varve's own types.
 */
@NullMarked
package io.varve.testkit;

import org.jspecify.annotations.NullMarked;
