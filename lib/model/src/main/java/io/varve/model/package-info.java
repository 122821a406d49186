/**
 * The words everybody shares: labels, matchers, time ranges, samples, histograms, errors and the context of a query.
 *
 * <p>
 * Nothing here does I/O. Strings are Java strings whose order, where order matters, is the order of their UTF-8 bytes, as in
 * Prometheus.
 */
@NullMarked
package io.varve.model;

import org.jspecify.annotations.NullMarked;
