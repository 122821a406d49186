/**
 * {@code varve tools}: the command line over the libraries. {@link io.varve.tools.ToolsCommand} is the entry, each group of commands
 * (block, bucket, promql) a class of its own.
 */
@NullMarked
package io.varve.tools;

import org.jspecify.annotations.NullMarked;
