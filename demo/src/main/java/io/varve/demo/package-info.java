/**
 * The main job on one machine: two replicas of a real Prometheus, a sidecar beside each, a bucket, a store gateway, a compactor and a
 * querier, with some weeks of believable history. {@link io.varve.demo.DemoCommand} is the way in.
 */
@NullMarked
package io.varve.demo;

import org.jspecify.annotations.NullMarked;
