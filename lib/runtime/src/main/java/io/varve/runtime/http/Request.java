package io.varve.runtime.http;

import java.io.InputStream;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A request as its handler sees it. One thread. */
public interface Request {
    /** The method, as sent: {@code GET}. */
    String method();

    /** The decoded path, without the route prefix. */
    String path();

    /**
     * The decoded value of a {@code {name}} or {@code {name*}} in the route's path.
     *
     * @throws IllegalArgumentException where the route has no such part
     */
    String pathParameter(String name);

    /**
     * The decoded value of a {@code {name}} in the route's path, byte by byte: it need not be UTF-8, as the text of it always is.
     *
     * @throws IllegalArgumentException where the route has no such part
     */
    byte[] pathParameterBytes(String name);

    /** A header's first value, null where there is none; the name in any case. */
    @Nullable
    String header(String name);

    /**
     * All parameters: those of a form body (POST, PUT, PATCH), then those of the query, then the text fields of a {@code multipart/form-data} body,
     * each in order; so it is with Go's {@code FormValue}. Reads the body. A broken multipart form counts as not there.
     *
     * @throws HttpStatusException 400 where they are malformed, 413 where the form is larger than the server's limit
     */
    Map<String, List<String>> parameters();

    /** As {@link #parameters}, without those that are malformed: what readers see who do not ask whether there was an error. */
    Map<String, List<String>> readableParameters();

    /** The parameters of the query alone, in order. */
    Map<String, List<String>> queryParameters();

    /** The first value of a parameter (form before query), null where it was not given. */
    default @Nullable String parameter(String name) {
        List<String> values = parameters().get(name);
        return values == null || values.isEmpty() ? null : values.getFirst();
    }

    /** All values of a parameter, form before query; empty where it was not given. */
    default List<String> parameterValues(String name) {
        return parameters().getOrDefault(name, List.of());
    }

    /**
     * The body as it arrives. Reading more than the server's limit throws {@link HttpStatusException} 413.
     */
    InputStream body();

    /** The whole body; at most {@code maxBytes} or status 413. */
    byte[] readBody(int maxBytes);

    /** The client's address. */
    String remoteAddress();

    /** The query as sent, undecoded, "" for none. */
    String rawQuery();

    /**
     * Runs {@code action} when the connection fails or the client ends it while the handler is at work: nobody waits for the answer. After the request
     * was read; at most once per request, and it may run more than once. Must not block.
     */
    void onClientGone(Runnable action);
}
