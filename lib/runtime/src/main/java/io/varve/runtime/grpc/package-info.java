/**
 * gRPC as Thanos' processes speak it: {@link io.varve.runtime.grpc.GrpcServer} with health, reflection, metrics and keep-alive rules,
 * {@link io.varve.runtime.grpc.Channels} for the asking side, and the framed snappy codec for both.
 */
@NullMarked
package io.varve.runtime.grpc;

import org.jspecify.annotations.NullMarked;
