package io.varve.runtime.http;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.eclipse.jetty.http.HttpField;
import org.jspecify.annotations.Nullable;

/** A request over Jetty's. */
final class JettyRequest implements Request {
    private final org.eclipse.jetty.server.Request jetty;
    private final String prefix;
    private final Routes.Match match;
    private @Nullable Map<String, List<String>> query;
    private @Nullable Map<String, List<String>> all;
    private @Nullable HttpStatusException malformed;
    private @Nullable InputStream body;
    private @Nullable WatchedEndPoint watched;

    JettyRequest(org.eclipse.jetty.server.Request jetty, String prefix, Routes.Match match) {
        this.jetty = jetty;
        this.prefix = prefix;
        this.match = match;
    }

    @Override
    public String method() {
        return jetty.getMethod();
    }

    @Override
    public String path() {
        String raw = jetty.getHttpURI().getPath();
        String path = UrlDecoder.decode(raw == null ? "/" : raw, false);
        return !prefix.isEmpty() && path.startsWith(prefix) ? path.substring(prefix.length()) : path;
    }

    @Override
    public String pathParameter(String name) {
        String value = match.parameters().get(name);
        if (value == null) {
            throw new IllegalArgumentException("the route has no {" + name + "}");
        }
        return value;
    }

    @Override
    public byte[] pathParameterBytes(String name) {
        return match.bytes(name);
    }

    @Override
    public @Nullable String header(String name) {
        return jetty.getHeaders().get(name);
    }

    @Override
    public Map<String, List<String>> queryParameters() {
        Map<String, List<String>> q = query;
        if (q == null) {
            q = new LinkedHashMap<>();
            HttpStatusException malformed = UrlDecoder.form(rawQuery(), q);
            if (malformed != null) {
                throw malformed;
            }
            query = q;
        }
        return q;
    }

    @Override
    public Map<String, List<String>> parameters() {
        Map<String, List<String>> result = readableParameters();
        if (malformed != null) {
            throw malformed;
        }
        return result;
    }

    @Override
    public Map<String, List<String>> readableParameters() {
        Map<String, List<String>> result = all;
        if (result == null) {
            result = new LinkedHashMap<>();
            String type = header("Content-Type");
            boolean form = (method().equals("POST") || method().equals("PUT") || method().equals("PATCH")) && type != null
                    && type.toLowerCase(Locale.ROOT).strip().startsWith("application/x-www-form-urlencoded");
            HttpStatusException inBody = form
                    ? UrlDecoder.form(new String(readBody(HttpServer.MAX_FORM_BYTES), StandardCharsets.UTF_8), result)
                    : null;
            HttpStatusException inQuery = UrlDecoder.form(rawQuery(), result);
            if (type != null && MultipartForm.is(type)) {
                for (Map.Entry<String, List<String>> field : MultipartForm.read(type, readBody(HttpServer.MAX_FORM_BYTES)).entrySet()) {
                    result.computeIfAbsent(field.getKey(), k -> new ArrayList<>(1)).addAll(field.getValue());
                }
            }
            malformed = inBody == null ? inQuery : inBody;
            all = result;
        }
        return result;
    }

    @Override
    public InputStream body() {
        InputStream in = body;
        if (in == null) {
            in = new Bounded(org.eclipse.jetty.io.Content.Source.asInputStream(jetty), HttpServer.MAX_BODY_BYTES);
            body = in;
        }
        return in;
    }

    @Override
    public byte[] readBody(int maxBytes) {
        if (jetty.getLength() > maxBytes) {
            throw tooLarge(maxBytes);
        }
        try {
            byte[] bytes = body().readNBytes(maxBytes + 1);
            if (bytes.length > maxBytes) {
                throw tooLarge(maxBytes);
            }
            return bytes;
        } catch (IOException e) {
            throw new HttpStatusException(400, "reading the request body: " + e.getMessage(), e);
        }
    }

    private static HttpStatusException tooLarge(long maxBytes) {
        return new HttpStatusException(413, "request body larger than " + maxBytes + " bytes");
    }

    @Override
    public String remoteAddress() {
        return org.eclipse.jetty.server.Request.getRemoteAddr(jetty);
    }

    @Override
    public String rawQuery() {
        String q = jetty.getHttpURI().getQuery();
        return q == null ? "" : q;
    }

    @Override
    public void onClientGone(Runnable action) {
        jetty.addFailureListener(failure -> action.run());
        if (jetty.getConnectionMetaData().getConnection().getEndPoint() instanceof WatchedEndPoint point) {
            point.watch(action);
            watched = point;
        }
    }

    /** The handler is done: the connection is Jetty's again. */
    void ended() {
        if (watched != null) {
            watched.unwatch();
        }
    }

    long approximateBytes() {
        long n = method().length() + rawQuery().length() + path().length() + Math.max(0, jetty.getLength());
        for (HttpField f : jetty.getHeaders()) {
            n += f.getName().length() + (f.getValue() == null ? 0 : f.getValue().length());
        }
        return n;
    }

    /** Ends with status 413 once more than the limit was read. */
    private static final class Bounded extends InputStream {
        private final InputStream in;
        private final long limit;
        private long read;

        Bounded(InputStream in, long limit) {
            this.in = in;
            this.limit = limit;
        }

        @Override
        public int read() throws IOException {
            int b = in.read();
            count(b < 0 ? 0 : 1);
            return b;
        }

        @Override
        public int read(byte[] buffer, int offset, int length) throws IOException {
            int n = in.read(buffer, offset, length);
            count(Math.max(0, n));
            return n;
        }

        @Override
        public void close() throws IOException {
            in.close();
        }

        private void count(int n) {
            read += n;
            if (read > limit) {
                throw tooLarge(limit);
            }
        }
    }
}
