/**
 * An S3 server on a directory, for the demo and the tests: S3Proxy behind a small command line. It runs as a process of its own, because its
 * class path and ours disagree.
 */
@NullMarked
package io.varve.s3server;

import org.jspecify.annotations.NullMarked;
