/**
 * The HTTP server, free of its library's types: {@link io.varve.runtime.http.Routes} say which {@link io.varve.runtime.http.HttpHandler}
 * answers which path and method; {@link io.varve.runtime.http.Request} and {@link io.varve.runtime.http.Response} are what a handler sees;
 * {@link io.varve.runtime.http.HttpServer} listens. Every request runs on a virtual thread of its own and may block.
 */
@NullMarked
package io.varve.runtime.http;

import org.jspecify.annotations.NullMarked;
