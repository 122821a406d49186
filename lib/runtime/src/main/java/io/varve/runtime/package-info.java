/**
 * What every process has. A process is a picocli command that implements {@link io.varve.runtime.ProcessCommand};
 * {@link io.varve.runtime.ProcessRunner} parses its flags, sets up logs, starts it with a {@link io.varve.runtime.ProcessContext},
 * waits for a signal and stops it gracefully. Tests start the same command in their own JVM with
 * {@link io.varve.runtime.ProcessRunner#launch}.
 *
 * <p>
 * Beside it: {@link io.varve.runtime.flags} (command lines), {@link io.varve.runtime.http} (the HTTP server), {@link io.varve.runtime.grpc}
 * (the gRPC server and channels), {@link io.varve.runtime.Logs}, {@link io.varve.runtime.Metrics}, {@link io.varve.runtime.Probes}.
 */
@NullMarked
package io.varve.runtime;

import org.jspecify.annotations.NullMarked;
