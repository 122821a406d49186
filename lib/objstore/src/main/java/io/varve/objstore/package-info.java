/**
 * Object storage: narrow interfaces by what a process may do (read, write, delete), and the providers behind them.
 */
@NullMarked
package io.varve.objstore;

import org.jspecify.annotations.NullMarked;
