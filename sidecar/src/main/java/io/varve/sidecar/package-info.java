/**
 * The process beside one Prometheus: it serves that Prometheus' data through the StoreAPI and ships its finished blocks to a bucket.
 *
 * <p>
 * A tour: {@link io.varve.sidecar.SidecarCommand} has the flags and starts everything. {@code Prometheus} is the HTTP client of the Prometheus
 * beside us; {@code Heartbeat} asks it for external labels and its earliest time and decides readiness. {@code PrometheusStore} answers
 * Series from streamed remote read, {@code SeriesOrder} restores the order that external labels disturb; {@code PrometheusApis} answers
 * rules, targets, metadata, exemplars and statistics. {@code Shipper} uploads blocks, {@code ShipperState} remembers which. {@code Reloader}
 * watches configuration and makes Prometheus reload it.
 */
@NullMarked
package io.varve.sidecar;

import org.jspecify.annotations.NullMarked;
