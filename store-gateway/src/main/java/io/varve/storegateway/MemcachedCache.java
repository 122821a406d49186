package io.varve.storegateway;

import io.varve.model.ErrorText;
import io.varve.model.VarveException;
import io.varve.model.XxHash64;
import io.varve.runtime.Dns;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Memcached over its text protocol. A key's server is the jump hash of its xxHash64 over the sorted list of servers, as in Thanos, so that
 * several gateways share what they cache. A server that fails is left alone for a while.
 */
final class MemcachedCache implements RemoteCache {
    private static final Logger LOG = LoggerFactory.getLogger(MemcachedCache.class);
    private static final int MAX_KEY = 250;
    private static final int MAX_LINE = 2048;
    /** What claims to be greater is not read, where no bound is configured. */
    private static final long MAX_VALUE = 128 << 20;
    private static final long MAX_TTL_SECONDS = 30L * 24 * 3600;

    /**
     * Settings, named as in the YAML.
     *
     * @param addresses host:port, or a name that {@link Dns} knows to resolve
     * @param timeoutMillis for a get or set
     * @param maxIdleConnections kept open per server
     * @param asyncConcurrency sets at a time
     * @param asyncBuffer sets waiting
     * @param getConcurrency gets at a time, 0 = no bound
     * @param getBatch keys per get, 0 = all
     * @param maxItemBytes greater values are not stored, 0 = no bound
     * @param refreshMillis how often names are resolved
     * @param breaker when sets are given up
     */
    record Settings(List<String> addresses, int timeoutMillis, int maxIdleConnections, int asyncConcurrency, int asyncBuffer,
            int getConcurrency,
            int getBatch, int maxItemBytes, long refreshMillis, SetBreaker.Settings breaker) {
    }

    private final Settings settings;
    private final CacheMetrics.Client metrics;
    private final AsyncSets sets;
    private final Semaphore gets;
    private final ConcurrentMap<String, Server> servers = new ConcurrentHashMap<>();
    private final Dns dns;
    private final Map<String, List<String>> resolved = new HashMap<>();
    private volatile List<String> sorted;
    private final Thread refresher;

    private final class Server {
        final String host;
        final int port;
        final Deque<Connection> idle = new ConcurrentLinkedDeque<>();
        final CacheHealth health;
        private volatile boolean gone;

        Server(String address) {
            int colon = address.lastIndexOf(':');
            host = address.substring(0, colon);
            port = Integer.parseInt(address.substring(colon + 1));
            health = new CacheHealth("memcached " + address);
        }

        void give(Connection c) {
            if (idle.size() >= settings.maxIdleConnections) {
                c.close();
                return;
            }
            idle.addFirst(c);
            if (gone) {
                closeIdle();
            }
        }

        void closeIdle() {
            for (Connection c = idle.pollFirst(); c != null; c = idle.pollFirst()) {
                c.close();
            }
        }

        void retire() {
            gone = true;
            closeIdle();
        }

        /**
         * Runs an exchange on a connection. One that was kept may have been closed by the server meanwhile, as it does when it starts anew: then
         * so were the others, and the exchange runs again on a new one.
         */
        <T> T exchange(Exchange<T> exchange) throws IOException {
            try {
                Connection kept = idle.pollFirst();
                if (kept != null) {
                    try {
                        T answer = run(kept, exchange);
                        health.worked();
                        return answer;
                    } catch (EOFException | SocketException e) {
                        closeIdle();
                        if (Thread.currentThread().isInterrupted()) {
                            throw e;
                        }
                    }
                }
                T answer = run(new Connection(this), exchange);
                health.worked();
                return answer;
            } catch (IOException | RuntimeException e) {
                LOG.atDebug().addKeyValue("server", host + ":" + port).addKeyValue("err", e.toString()).log("memcached does not answer");
                if (Thread.currentThread().isInterrupted()) {
                    // Whoever asked does not wait any more, which says nothing of the server.
                    health.notAsked();
                } else {
                    health.failed(ErrorText.of(e));
                }
                closeIdle();
                throw e;
            }
        }

        private <T> T run(Connection c, Exchange<T> exchange) throws IOException {
            boolean whole = false;
            try {
                T answer = exchange.run(c);
                whole = true;
                return answer;
            } finally {
                if (whole) {
                    give(c);
                } else {
                    c.close();
                }
            }
        }
    }

    /** Sends a request and reads all of its answer; an exception where that cannot be said. */
    private interface Exchange<T> {
        T run(Connection c) throws IOException;
    }

    private final class Connection {
        final Socket socket = new Socket();
        final InputStream in;
        final OutputStream out;

        Connection(Server server) throws IOException {
            try {
                socket.setTcpNoDelay(true);
                socket.connect(new InetSocketAddress(server.host, server.port), settings.timeoutMillis);
                socket.setSoTimeout(settings.timeoutMillis);
                in = new BufferedInputStream(socket.getInputStream(), 1 << 16);
                out = new BufferedOutputStream(socket.getOutputStream(), 1 << 14);
            } catch (IOException e) {
                close();
                throw e;
            }
        }

        String line() throws IOException {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream(64);
            for (int b = in.read(); b != '\n'; b = in.read()) {
                if (b < 0) {
                    throw new EOFException("connection closed");
                }
                if (bytes.size() > MAX_LINE) {
                    throw new IOException("line is longer than " + MAX_LINE);
                }
                bytes.write(b);
            }
            String s = bytes.toString(StandardCharsets.ISO_8859_1);
            return s.endsWith("\r") ? s.substring(0, s.length() - 1) : s;
        }

        void close() {
            try {
                socket.close();
            } catch (IOException e) {
                LOG.atDebug().addKeyValue("err", e.toString()).log("connection cannot be closed");
            }
        }
    }

    MemcachedCache(Settings settings, Dns dns, CacheMetrics.Client metrics) {
        this.settings = settings;
        this.metrics = metrics;
        this.gets = new Semaphore(settings.getConcurrency <= 0 ? Integer.MAX_VALUE : settings.getConcurrency);
        this.dns = dns;
        this.sorted = names();
        this.sets = new AsyncSets(settings.asyncBuffer, AsyncSets.usualBytes(), settings.asyncConcurrency, 1,
                new SetBreaker(settings.breaker), metrics,
                this::store);
        // A thread of the platform: what looks names up may keep its thread for seconds.
        this.refresher = Thread.ofPlatform().daemon().name("memcached names").unstarted(this::refresh);
        if (settings.addresses.stream().anyMatch(Dns::isDynamic)) {
            refresher.start();
        }
    }

    /** The servers, sorted; a name that cannot be resolved keeps the addresses that it had. */
    private List<String> names() {
        TreeSet<String> out = new TreeSet<>();
        for (String a : settings.addresses) {
            if (!Dns.isDynamic(a)) {
                out.add(a);
                continue;
            }
            try {
                resolved.put(a, dns.resolve(a));
            } catch (VarveException e) {
                LOG.atWarn().addKeyValue("address", a).addKeyValue("err", e.getMessage()).log("address cannot be resolved");
            }
            out.addAll(resolved.getOrDefault(a, List.of()));
        }
        return List.copyOf(out);
    }

    private void refresh() {
        try {
            while (true) {
                Thread.sleep(Math.max(1000, settings.refreshMillis));
                List<String> now = names();
                if (!now.equals(sorted)) {
                    sorted = now;
                    servers.values().removeIf(s -> {
                        boolean gone = !now.contains(s.host + ":" + s.port);
                        if (gone) {
                            s.retire();
                        }
                        return gone;
                    });
                }
            }
        } catch (InterruptedException e) {
            // The process ends.
            Thread.currentThread().interrupt();
        }
    }

    private @Nullable Server server(String key) {
        List<String> list = sorted;
        if (list.isEmpty()) {
            return null;
        }
        int bucket = jump(XxHash64.hash(key.getBytes(StandardCharsets.UTF_8)), list.size());
        return servers.computeIfAbsent(list.get(bucket), Server::new);
    }

    /** Lamping and Veach's jump consistent hash. */
    static int jump(long key, int buckets) {
        long k = key;
        long b = -1;
        long j = 0;
        while (j < buckets) {
            b = j;
            k = k * 2862933555777941757L + 1;
            j = (long) ((b + 1) * ((double) (1L << 31) / (double) ((k >>> 33) + 1)));
        }
        return (int) b;
    }

    /** What the protocol takes for a key: no blanks and no control characters, which would end it. */
    private static boolean isKey(String key) {
        return key.length() <= MAX_KEY && key.chars().allMatch(c -> c > ' ' && c < 0x7F);
    }

    @Override
    public Map<String, byte[]> getAll(Collection<String> keys) {
        Map<Server, List<String>> byServer = new HashMap<>();
        for (String k : keys) {
            Server s = isKey(k) ? server(k) : null;
            if (s != null) {
                byServer.computeIfAbsent(s, x -> new ArrayList<>()).add(k);
            }
        }
        CacheReads reads = new CacheReads(gets, settings.timeoutMillis, metrics);
        byServer.forEach((server, all) -> {
            int batch = settings.getBatch <= 0 ? all.size() : settings.getBatch;
            for (int i = 0; i < all.size(); i += batch) {
                List<String> part = all.subList(i, Math.min(all.size(), i + batch));
                reads.begin(server.health, () -> read(server, part));
            }
        });
        return reads.found();
    }

    private Map<String, byte[]> read(Server server, List<String> keys) {
        metrics.tried("getmulti", 1);
        long start = System.nanoTime();
        try {
            Map<String, byte[]> out = server.exchange(c -> get(c, keys));
            metrics.took("getmulti", start);
            return out;
        } catch (IOException | RuntimeException e) {
            metrics.failed("getmulti", CacheMetrics.Reason.of(e), 1);
            return Map.of();
        }
    }

    private Map<String, byte[]> get(Connection c, List<String> keys) throws IOException {
        StringBuilder request = new StringBuilder("get");
        keys.forEach(k -> request.append(' ').append(k));
        c.out.write(request.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1));
        c.out.flush();
        Set<String> wanted = Set.copyOf(keys);
        Map<String, byte[]> out = new HashMap<>();
        for (String line = c.line(); !line.equals("END"); line = c.line()) {
            String[] parts = line.split(" ", -1);
            if (parts.length < 4 || !parts[0].equals("VALUE") || !wanted.contains(parts[1])) {
                throw unexpected(line);
            }
            int n;
            try {
                n = Integer.parseInt(parts[3]);
            } catch (NumberFormatException e) {
                throw unexpected(line);
            }
            if (n < 0 || n > (settings.maxItemBytes == 0 ? MAX_VALUE : Math.max(settings.maxItemBytes, 1 << 20) * 4L)) {
                throw new IOException("value of " + n + " bytes");
            }
            byte[] value = c.in.readNBytes(n);
            if (value.length < n || c.in.read() != '\r' || c.in.read() != '\n') {
                throw new EOFException("value is cut off");
            }
            out.put(parts[1], value);
        }
        return out;
    }

    private static IOException unexpected(String answer) {
        return answer.startsWith("SERVER_ERROR") ? new ServerErrorException(answer) : new IOException("unexpected answer: " + answer);
    }

    @Override
    public void set(String key, byte[] value, long ttlSeconds) {
        if (settings.maxItemBytes > 0 && value.length > settings.maxItemBytes) {
            metrics.skipped("set", "max-item-size", 1);
        } else if (!isKey(key)) {
            metrics.skipped("set", "malformed-key", 1);
        } else {
            sets.add(key, value, ttlSeconds);
        }
    }

    private void store(List<AsyncSets.Job> jobs) throws IOException {
        for (AsyncSets.Job j : jobs) {
            store(j.key(), j.value(), j.ttlSeconds());
        }
    }

    private void store(String key, byte[] value, long ttlSeconds) throws IOException {
        Server server = server(key);
        if (server == null || !server.health.mayAsk()) {
            metrics.skipped("set", "server-down", 1);
            return;
        }
        // Beyond 30 days memcached takes the number for a date.
        long until = ttlSeconds <= MAX_TTL_SECONDS ? ttlSeconds : System.currentTimeMillis() / 1000 + ttlSeconds;
        String answer = server.exchange(c -> {
            c.out.write(("set " + key + " 0 " + until + " " + value.length + "\r\n").getBytes(StandardCharsets.ISO_8859_1));
            c.out.write(value);
            c.out.write('\r');
            c.out.write('\n');
            c.out.flush();
            String line = c.line();
            if (!line.equals("STORED") && !line.startsWith("SERVER_ERROR") && !line.equals("NOT_STORED")) {
                throw unexpected(line);
            }
            return line;
        });
        if (answer.startsWith("SERVER_ERROR")) {
            // It is there and answers, for this value it has no room.
            throw new ServerErrorException(answer);
        }
    }

    @Override
    public void close() {
        sets.close();
        refresher.interrupt();
        servers.values().forEach(Server::retire);
    }
}
