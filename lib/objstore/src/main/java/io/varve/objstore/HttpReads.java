package io.varve.objstore;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * GET of one server over HTTP/1.1 (RFC 9112) with connections that are kept, and nothing else: no redirects, cookies, compression,
 * authentication or proxies. A general client does ten times as much for every request, which counts where ten thousand small objects are
 * read by a process that has just started. Blocking; meant for virtual threads, and safe for many: an interrupt closes the connection.
 */
final class HttpReads implements AutoCloseable {
    private static final int MAX_HEAD = 1 << 16;
    /** What is left of a body that nobody wants is read when it is less than this, so that the connection can be used again. */
    private static final int DRAIN_BYTES = 1 << 14;
    private static final int WAIT_MINUTES = 2;

    /**
     * The server and how long it may take; 0 is for ever.
     *
     * @param tls makes encrypted connections, null for plain ones
     * @param verifyHost whether the certificate has to name the host
     */
    record Server(String host, int port, @Nullable SSLSocketFactory tls, boolean verifyHost, int connectMillis, int readMillis,
            long idleMillis, int connections) {
    }

    private final Server server;
    private final Semaphore slots;
    private final ConcurrentLinkedDeque<Connection> idle = new ConcurrentLinkedDeque<>();
    private volatile boolean closed;

    HttpReads(Server server) {
        this.server = server;
        this.slots = new Semaphore(server.connections);
    }

    /** An answer's head, and the body behind it, which has to be closed. */
    static final class Answer implements AutoCloseable {
        private final int status;
        private final List<String> head;
        private final Body body;

        private Answer(int status, List<String> head, Body body) {
            this.status = status;
            this.head = head;
            this.body = body;
        }

        int status() {
            return status;
        }

        /** The first header of that name, "" where there is none. */
        String header(String name) {
            for (String line : head) {
                if (line.length() > name.length() && line.charAt(name.length()) == ':'
                        && line.regionMatches(true, 0, name, 0, name.length())) {
                    return line.substring(name.length() + 1).strip();
                }
            }
            return "";
        }

        InputStream body() {
            return body;
        }

        /** Gives the rest of the body up, and the connection with it. */
        void abort() {
            body.end(false);
        }

        @Override
        public void close() {
            body.close();
        }
    }

    /**
     * Asks and reads the answer's head. A request on a kept connection that the server has closed meanwhile is sent again on a new one.
     *
     * @param target path and query, encoded
     * @param headers lines, each with its end; {@code Host} among them
     * @throws IOException where there is no answer, or one that is not understood
     */
    Answer get(String target, String headers) throws IOException {
        byte[] request = ("GET " + target + " HTTP/1.1\r\n" + headers + "\r\n").getBytes(StandardCharsets.UTF_8);
        try {
            if (!slots.tryAcquire(WAIT_MINUTES, TimeUnit.MINUTES)) {
                throw new IOException("no connection became free within " + WAIT_MINUTES + " minutes");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        Connection connection = null;
        try {
            connection = kept();
            if (connection != null) {
                try {
                    return connection.ask(request);
                } catch (IOException e) {
                    connection.close();
                    if (connection.answered || Thread.currentThread().isInterrupted()) {
                        throw e;
                    }
                }
            }
            connection = open();
            return connection.ask(request);
        } catch (IOException | RuntimeException e) {
            if (connection != null) {
                connection.close();
            }
            slots.release();
            throw e;
        }
    }

    private @Nullable Connection kept() {
        for (Connection c = idle.pollFirst(); c != null; c = idle.pollFirst()) {
            if (!c.tooOld()) {
                return c;
            }
            c.close();
        }
        return null;
    }

    private Connection open() throws IOException {
        IOException failed = null;
        for (InetAddress address : InetAddress.getAllByName(server.host)) {
            Socket socket = new Socket();
            try {
                socket.setTcpNoDelay(true);
                socket.setKeepAlive(true);
                socket.connect(new InetSocketAddress(address, server.port), server.connectMillis);
                socket.setSoTimeout(server.readMillis);
                SSLSocketFactory tls = server.tls;
                if (tls == null) {
                    return new Connection(socket);
                }
                SSLSocket encrypted = (SSLSocket) tls.createSocket(socket, server.host, server.port, true);
                if (server.verifyHost) {
                    SSLParameters parameters = encrypted.getSSLParameters();
                    parameters.setEndpointIdentificationAlgorithm("HTTPS");
                    encrypted.setSSLParameters(parameters);
                }
                encrypted.startHandshake();
                return new Connection(encrypted);
            } catch (IOException e) {
                socket.close();
                if (failed != null) {
                    e.addSuppressed(failed);
                }
                failed = e;
            }
        }
        throw failed == null ? new IOException("no address of " + server.host) : failed;
    }

    @Override
    public void close() {
        closed = true;
        for (Connection c = idle.poll(); c != null; c = idle.poll()) {
            c.close();
        }
    }

    /** A connection and what was read ahead of it. One thread at a time. */
    private final class Connection {
        private final Socket socket;
        private final InputStream in;
        private final OutputStream out;
        private final byte[] buffer = new byte[8192];
        private int at;
        private int end;
        private long idleSince;
        /** Whether the server said anything since the last question. */
        private boolean answered;

        Connection(Socket socket) throws IOException {
            this.socket = socket;
            this.in = socket.getInputStream();
            this.out = socket.getOutputStream();
        }

        boolean tooOld() {
            return server.idleMillis > 0 && System.nanoTime() - idleSince > server.idleMillis * 1_000_000;
        }

        void close() {
            try {
                socket.close();
            } catch (IOException e) {
                // It is gone either way.
            }
        }

        Answer ask(byte[] request) throws IOException {
            answered = false;
            out.write(request);
            out.flush();
            String first = line(0);
            if (first.length() < 12 || !first.startsWith("HTTP/1.")) {
                throw new IOException("not an answer of HTTP/1.1: " + first.substring(0, Math.min(20, first.length())));
            }
            int status = Integer.parseInt(first.substring(9, 12));
            List<String> head = new ArrayList<>(16);
            int size = first.length();
            for (String line = line(size); !line.isEmpty(); line = line(size)) {
                head.add(line);
                size += line.length();
            }
            Body body = new Body(this);
            Answer answer = new Answer(status, head, body);
            body.start(answer, first.startsWith("HTTP/1.1"));
            return answer;
        }

        /** A line without its end. */
        String line(int before) throws IOException {
            StringBuilder long_ = null;
            while (true) {
                for (int i = at; i < end; i++) {
                    if (buffer[i] == '\n') {
                        int stop = i > at && buffer[i - 1] == '\r' ? i - 1 : i;
                        String part = new String(buffer, at, stop - at, StandardCharsets.ISO_8859_1);
                        at = i + 1;
                        String whole = long_ == null ? part : long_.append(part).toString();
                        if (before + whole.length() > MAX_HEAD) {
                            throw new IOException("head of the answer is longer than " + MAX_HEAD + " bytes");
                        }
                        return whole.endsWith("\r") ? whole.substring(0, whole.length() - 1) : whole;
                    }
                }
                if (end > at) {
                    long_ = (long_ == null ? new StringBuilder() : long_)
                            .append(new String(buffer, at, end - at, StandardCharsets.ISO_8859_1));
                    if (before + long_.length() > MAX_HEAD) {
                        throw new IOException("head of the answer is longer than " + MAX_HEAD + " bytes");
                    }
                }
                at = 0;
                end = Math.max(0, in.read(buffer));
                if (end == 0) {
                    throw new IOException("connection was closed");
                }
                answered = true;
            }
        }

        int read(byte[] b, int off, int len) throws IOException {
            if (at < end) {
                int n = Math.min(len, end - at);
                System.arraycopy(buffer, at, b, off, n);
                at += n;
                return n;
            }
            return in.read(b, off, len);
        }
    }

    /** A body: of a length, in chunks, or all there is until the end of the connection. One thread at a time. */
    private final class Body extends InputStream {
        private final Connection connection;
        /** Bytes left of the body or of the chunk; −1 for until the end. */
        private long left;
        private boolean chunked;
        private boolean firstChunk = true;
        private boolean keep;
        private boolean ended;

        Body(Connection connection) {
            this.connection = connection;
        }

        void start(Answer answer, boolean keepByDefault) throws IOException {
            String coding = answer.header("Transfer-Encoding");
            String length = answer.header("Content-Length");
            String persistence = answer.header("Connection");
            keep = persistence.isEmpty() ? keepByDefault : !persistence.equalsIgnoreCase("close");
            chunked = coding.equalsIgnoreCase("chunked");
            if (!chunked && !coding.isEmpty() || answer.status < 200) {
                throw new IOException("answer with status " + answer.status + " and transfer encoding \"" + coding + "\"");
            }
            left = chunked || answer.status == 204 || answer.status == 304 ? 0 : length.isEmpty() ? -1 : Long.parseUnsignedLong(length);
            if (left == 0 && !chunked) {
                end(keep);
            }
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] b, int off, int len) throws IOException {
            if (len == 0) {
                return 0;
            }
            if (ended) {
                return -1;
            }
            if (chunked && left == 0 && !nextChunk()) {
                return -1;
            }
            int n = connection.read(b, off, left < 0 ? len : (int) Math.min(len, left));
            if (n < 0) {
                end(false);
                if (left > 0) {
                    throw new IOException(
                            "connection was closed " + left + " bytes before the end of " + (chunked ? "a chunk" : "the body"));
                }
                return -1;
            }
            if (left > 0) {
                left -= n;
                if (left == 0 && !chunked) {
                    end(keep);
                }
            }
            return n;
        }

        private boolean nextChunk() throws IOException {
            if (!firstChunk && !connection.line(0).isEmpty()) {
                throw new IOException("chunk does not end where it should");
            }
            firstChunk = false;
            String size = connection.line(0);
            int semicolon = size.indexOf(';');
            try {
                left = Long.parseLong((semicolon < 0 ? size : size.substring(0, semicolon)).strip(), 16);
            } catch (NumberFormatException e) {
                throw new IOException("size of a chunk is no number", e);
            }
            if (left < 0) {
                throw new IOException("size of a chunk is negative");
            }
            if (left > 0) {
                return true;
            }
            for (String trailer = connection.line(0); !trailer.isEmpty(); trailer = connection.line(0)) {
                // Nothing in a trailer is of interest.
            }
            end(keep);
            return false;
        }

        /** Gives the connection back, to be used again or not. */
        void end(boolean reusable) {
            if (ended) {
                return;
            }
            ended = true;
            if (reusable && !closed && connection.at == connection.end) {
                connection.idleSince = System.nanoTime();
                idle.addFirst(connection);
                Connection oldest = idle.peekLast();
                if ((oldest != null && oldest.tooOld() || closed) && idle.remove(oldest)) {
                    oldest.close();
                }
            } else {
                connection.close();
            }
            slots.release();
        }

        @Override
        public void close() {
            if (!ended && left >= 0 && left <= DRAIN_BYTES) {
                byte[] rest = new byte[DRAIN_BYTES];
                try {
                    for (int n = 0, all = 0; n >= 0 && all < DRAIN_BYTES; all += n) {
                        n = read(rest, 0, rest.length);
                    }
                } catch (IOException e) {
                    // Then it is not used again.
                }
            }
            end(false);
        }
    }
}
