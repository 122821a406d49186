/**
 * The HTTP API under {@code /api/v1}: Prometheus' and Thanos' paths, parameters, errors and JSON.
 * {@link io.varve.querier.api.HttpApi} maps paths to handlers; {@link io.varve.querier.api.Params} reads parameters,
 * {@link io.varve.querier.api.Envelope} writes answers as a stream.
 */
@NullMarked
package io.varve.querier.api;

import org.jspecify.annotations.NullMarked;
