package io.varve.runtime.http;

/** Answers requests, each on a virtual thread of its own; may block. Safe for many threads. */
@FunctionalInterface
public interface HttpHandler {
    /**
     * Answers one request.
     *
     * @throws HttpStatusException to answer with that status and one line of text
     * @throws Exception anything else: logged, and answered with status 500 and no details where nothing was sent yet; otherwise the
     *         connection is broken so that no half answer looks whole
     */
    void handle(Request request, Response response) throws Exception;
}
