package io.varve.storegateway;

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
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
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
     * @param maxItemBytes greater values are not stored
     * @param refreshMillis how often names are resolved
     * @param breaker when sets are given up
     */
    record Settings(List<String> addresses, int timeoutMillis, int maxIdleConnections, int asyncConcurrency, int asyncBuffer,
            int getConcurrency,
            int getBatch, int maxItemBytes, long refreshMillis, SetBreaker.Settings breaker) {
    }

    private final Settings settings;
    private final CacheMetrics metrics;
    private final AsyncSets sets;
    private final Semaphore gets;
    private final ConcurrentMap<String, Server> servers = new ConcurrentHashMap<>();
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final Dns dns;
    private final Map<String, List<String>> resolved = new HashMap<>();
    private volatile List<String> sorted;
    private final Thread refresher;

    private final class Server {
        final String host;
        final int port;
        final Deque<Connection> idle = new ConcurrentLinkedDeque<>();
        final CacheHealth health = new CacheHealth();

        Server(String address) {
            int colon = address.lastIndexOf(':');
            host = address.substring(0, colon);
            port = Integer.parseInt(address.substring(colon + 1));
        }

        Connection take() throws IOException {
            Connection c = idle.pollFirst();
            return c != null ? c : new Connection(this);
        }

        void give(Connection c) {
            if (idle.size() < settings.maxIdleConnections) {
                idle.addFirst(c);
            } else {
                c.close();
            }
        }
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

    MemcachedCache(Settings settings, Dns dns, CacheMetrics metrics) {
        this.settings = settings;
        this.metrics = metrics;
        this.gets = new Semaphore(settings.getConcurrency <= 0 ? Integer.MAX_VALUE : settings.getConcurrency);
        this.dns = dns;
        this.sorted = names();
        this.sets = new AsyncSets(settings.asyncBuffer, settings.asyncConcurrency, 1, new SetBreaker(settings.breaker), metrics,
                this::store);
        this.refresher = Thread.ofVirtual().name("memcached names").unstarted(this::refresh);
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
                            s.idle.forEach(Connection::close);
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

    @Override
    public Map<String, byte[]> getAll(Collection<String> keys) {
        Map<Server, List<String>> byServer = new HashMap<>();
        for (String k : keys) {
            Server s = server(k);
            if (s != null && k.length() <= MAX_KEY) {
                byServer.computeIfAbsent(s, x -> new ArrayList<>()).add(k);
            }
        }
        List<Future<Map<String, byte[]>>> reads = new ArrayList<>();
        byServer.forEach((server, all) -> {
            int batch = settings.getBatch <= 0 ? all.size() : settings.getBatch;
            for (int i = 0; i < all.size(); i += batch) {
                List<String> part = all.subList(i, Math.min(all.size(), i + batch));
                if (server.health.mayAsk()) {
                    reads.add(threads.submit(() -> read(server, part)));
                } else {
                    metrics.skipped.labelValues("getmulti", "server-down").inc();
                }
            }
        });
        Map<String, byte[]> out = new HashMap<>();
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(settings.timeoutMillis);
        for (Future<Map<String, byte[]>> f : reads) {
            try {
                out.putAll(f.get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS));
            } catch (TimeoutException | ExecutionException e) {
                f.cancel(true);
            } catch (InterruptedException e) {
                f.cancel(true);
                Thread.currentThread().interrupt();
            }
        }
        return out;
    }

    private Map<String, byte[]> read(Server server, List<String> keys) {
        metrics.operations.labelValues("getmulti").inc();
        long start = System.nanoTime();
        Connection c = null;
        try {
            if (!gets.tryAcquire(settings.timeoutMillis, TimeUnit.MILLISECONDS)) {
                server.health.worked();
                metrics.skipped.labelValues("getmulti", "busy").inc();
                return Map.of();
            }
            try {
                c = server.take();
                StringBuilder request = new StringBuilder("get");
                keys.forEach(k -> request.append(' ').append(k));
                c.out.write(request.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1));
                c.out.flush();
                Map<String, byte[]> out = new HashMap<>();
                for (String line = c.line(); !line.equals("END"); line = c.line()) {
                    String[] parts = line.split(" ", -1);
                    if (parts.length < 4 || !parts[0].equals("VALUE")) {
                        throw new IOException("unexpected answer: " + line);
                    }
                    int n = Integer.parseInt(parts[3]);
                    if (n < 0 || n > Math.max(settings.maxItemBytes, 1 << 20) * 4L) {
                        throw new IOException("value of " + n + " bytes");
                    }
                    byte[] value = c.in.readNBytes(n);
                    if (value.length < n || c.in.read() != '\r' || c.in.read() != '\n') {
                        throw new EOFException("value is cut off");
                    }
                    out.put(parts[1], value);
                }
                server.give(c);
                server.health.worked();
                metrics.seconds.labelValues("getmulti").observe((System.nanoTime() - start) / 1e9);
                return out;
            } finally {
                gets.release();
            }
        } catch (IOException | NumberFormatException e) {
            failed(server, c, e);
            metrics.failures.labelValues("getmulti").inc();
            return Map.of();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            failed(server, c, e);
            return Map.of();
        }
    }

    private static void failed(Server server, @Nullable Connection c, Exception e) {
        if (c != null) {
            c.close();
        }
        server.health.failed();
        LOG.atDebug().addKeyValue("server", server.host + ":" + server.port).addKeyValue("err", e.toString())
                .log("memcached does not answer");
    }

    @Override
    public void set(String key, byte[] value, long ttlSeconds) {
        if (value.length > settings.maxItemBytes) {
            metrics.skipped.labelValues("set", "max-item-size").inc();
            return;
        }
        sets.add(key, value, ttlSeconds);
    }

    private void store(List<AsyncSets.Job> jobs) throws IOException {
        for (AsyncSets.Job j : jobs) {
            store(j.key(), j.value(), j.ttlSeconds());
        }
    }

    private void store(String key, byte[] value, long ttlSeconds) throws IOException {
        Server server = server(key);
        if (server == null || key.length() > MAX_KEY || !server.health.mayAsk()) {
            metrics.skipped.labelValues("set", "server-down").inc();
            return;
        }
        Connection c = null;
        try {
            c = server.take();
            // Beyond 30 days memcached takes the number for a date.
            long ttl = Math.min(ttlSeconds, 30L * 24 * 3600);
            c.out.write(("set " + key + " 0 " + ttl + " " + value.length + "\r\n").getBytes(StandardCharsets.ISO_8859_1));
            c.out.write(value);
            c.out.write('\r');
            c.out.write('\n');
            c.out.flush();
            String answer = c.line();
            if (!answer.equals("STORED") && !answer.startsWith("SERVER_ERROR") && !answer.equals("NOT_STORED")) {
                throw new IOException("unexpected answer: " + answer);
            }
            server.give(c);
            server.health.worked();
        } catch (IOException e) {
            failed(server, c, e);
            throw e;
        }
    }

    @Override
    public void close() {
        sets.close();
        refresher.interrupt();
        threads.shutdownNow();
        servers.values().forEach(s -> s.idle.forEach(Connection::close));
    }
}
