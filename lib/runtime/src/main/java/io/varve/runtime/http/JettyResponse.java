package io.varve.runtime.http;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPOutputStream;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.jspecify.annotations.Nullable;

/** An answer over Jetty's: small ones leave with a Content-Length, larger ones as a stream, compressed if the client likes it. */
final class JettyResponse implements Response {
    private static final int BUFFER = 32 << 10;
    /** Smaller bodies gain nothing from compression. */
    private static final int MIN_COMPRESSED = 1024;
    private final org.eclipse.jetty.server.Request request;
    private final org.eclipse.jetty.server.Response jetty;
    private @Nullable Body body;
    private long written;

    JettyResponse(org.eclipse.jetty.server.Request request, org.eclipse.jetty.server.Response jetty) {
        this.request = request;
        this.jetty = jetty;
    }

    @Override
    public Response status(int status) {
        jetty.setStatus(status);
        return this;
    }

    int currentStatus() {
        int s = jetty.getStatus();
        return s == 0 ? 200 : s;
    }

    @Override
    public Response header(String name, String value) {
        jetty.getHeaders().put(name, value);
        return this;
    }

    @Override
    public OutputStream body() {
        Body b = body;
        if (b == null) {
            b = new Body();
            body = b;
        }
        return b;
    }

    @Override
    public void send(byte[] bytes) throws IOException {
        if (jetty.isCommitted()) {
            throw new IOException("the answer has begun");
        }
        Body before = body;
        if (before != null) {
            before.forget();
            body = null;
            written = 0;
        }
        try (OutputStream out = body()) {
            out.write(bytes);
        }
    }

    @Override
    public void sendText(int status, String text) throws IOException {
        status(status).header("Content-Type", "text/plain; charset=utf-8");
        send(text.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }

    @Override
    public boolean isCommitted() {
        return jetty.isCommitted();
    }

    long bytesWritten() {
        return written;
    }

    /** Forgets what a failed handler prepared. */
    void reset() {
        jetty.reset();
        body = null;
        written = 0;
    }

    /** Ends the answer where the handler left it open. */
    void finish() throws IOException {
        body().close();
    }

    private @Nullable String encoding() {
        if (jetty.getHeaders().contains(HttpHeader.CONTENT_ENCODING)) {
            return null;
        }
        for (String value : request.getHeaders().getCSV(HttpHeader.ACCEPT_ENCODING, false)) {
            String v = value.toLowerCase(Locale.ROOT).replace(" ", "");
            boolean refused = v.endsWith(";q=0") || v.endsWith(";q=0.0");
            String name = v.indexOf(';') < 0 ? v : v.substring(0, v.indexOf(';'));
            if (!refused && (name.equals("gzip") || name.equals("deflate"))) {
                return name;
            }
        }
        return null;
    }

    /** Holds the first bytes back until it is known whether there are many. */
    private final class Body extends OutputStream {
        private byte[] buffer = new byte[MIN_COMPRESSED];
        private int count;
        private @Nullable OutputStream out;
        private boolean closed;
        private boolean compressed;

        @Override
        public void write(int b) throws IOException {
            write(new byte[]{(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            if (closed) {
                throw new IOException("the answer is complete");
            }
            written += length;
            OutputStream o = out;
            if (o == null) {
                if (count + length <= buffer.length) {
                    System.arraycopy(bytes, offset, buffer, count, length);
                    count += length;
                    return;
                }
                o = open();
            }
            o.write(bytes, offset, length);
        }

        private OutputStream open() throws IOException {
            String encoding = encoding();
            jetty.getHeaders().put(HttpHeader.VARY, "Accept-Encoding");
            OutputStream raw = new Pieces();
            OutputStream o;
            if (encoding == null) {
                o = raw;
            } else {
                jetty.getHeaders().put(HttpHeader.CONTENT_ENCODING, encoding);
                compressed = true;
                jetty.getHeaders().remove(HttpHeader.CONTENT_LENGTH);
                o = encoding.equals("gzip") ? new Gzip(raw) : new Deflate(raw);
            }
            o.write(buffer, 0, count);
            buffer = new byte[0];
            out = o;
            return o;
        }

        /** Nothing of it has been sent. */
        void forget() {
            closed = true;
            if (compressed) {
                jetty.getHeaders().remove(HttpHeader.CONTENT_ENCODING);
            }
        }

        @Override
        public void flush() throws IOException {
            if (!closed) {
                OutputStream o = out;
                if (o == null) {
                    o = open();
                }
                o.flush();
            }
        }

        @Override
        public void close() throws IOException {
            if (closed) {
                return;
            }
            closed = true;
            OutputStream o = out;
            if (o != null) {
                o.close();
                return;
            }
            if (jetty.getStatus() != 204 && jetty.getStatus() != 304) {
                jetty.getHeaders().put(HttpHeader.CONTENT_LENGTH, count);
            }
            Content.Sink.write(jetty, true, ByteBuffer.wrap(buffer, 0, count));
        }
    }

    /** Sends large pieces; the last one goes out with the end of the answer, so that an answer of one piece is one write. */
    private final class Pieces extends OutputStream {
        private final byte[] piece = new byte[BUFFER];
        private int size;
        private boolean closed;

        @Override
        public void write(int b) throws IOException {
            write(new byte[]{(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            if (length > piece.length - size) {
                send(false);
                if (length >= piece.length) {
                    Content.Sink.write(jetty, false, ByteBuffer.wrap(bytes, offset, length));
                    return;
                }
            }
            System.arraycopy(bytes, offset, piece, size, length);
            size += length;
        }

        private void send(boolean last) throws IOException {
            int n = size;
            size = 0;
            if (n > 0 || last) {
                Content.Sink.write(jetty, last, ByteBuffer.wrap(piece, 0, n));
            }
        }

        @Override
        public void flush() throws IOException {
            if (size == 0) {
                // The head alone.
                Content.Sink.write(jetty, false, ByteBuffer.allocate(0));
            }
            send(false);
        }

        @Override
        public void close() throws IOException {
            if (!closed) {
                closed = true;
                send(true);
            }
        }
    }

    /** Quick compression: answers are large and made once. Flushing lets what was written be read. */
    private static final class Gzip extends GZIPOutputStream {
        Gzip(OutputStream out) throws IOException {
            super(out, 8 << 10, true);
            def.setLevel(Deflater.BEST_SPEED);
        }

        @Override
        public void close() throws IOException {
            try {
                super.close();
            } finally {
                def.end();
            }
        }
    }

    private static final class Deflate extends DeflaterOutputStream {
        Deflate(OutputStream out) {
            super(out, new Deflater(Deflater.BEST_SPEED), 8 << 10, true);
        }

        @Override
        public void close() throws IOException {
            try {
                super.close();
            } finally {
                def.end();
            }
        }
    }
}
