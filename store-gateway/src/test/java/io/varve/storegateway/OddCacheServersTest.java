package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.varve.objstore.FaultyBucket;
import io.varve.objstore.MemoryBucket;
import io.varve.objstore.ObjectBody;
import io.varve.runtime.Dns;
import io.varve.testkit.Seeds;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Cache servers that answer what nobody asked, half of it, or go away; and what a cache hands out that it did not store. */
class OddCacheServersTest {
    /** One connection's part of a talk; returning closes it. */
    private interface Talk {
        void with(BufferedReader in, OutputStream out) throws IOException;
    }

    /** A server on a free port that holds every connection's talk. */
    private static final class Server implements AutoCloseable {
        final ServerSocket socket;
        final List<String> lines = new CopyOnWriteArrayList<>();
        final List<Socket> connections = new CopyOnWriteArrayList<>();

        Server(Talk talk) throws IOException {
            socket = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
            Thread.ofVirtual().start(() -> {
                while (!socket.isClosed()) {
                    try {
                        Socket s = socket.accept();
                        connections.add(s);
                        Thread.ofVirtual().start(() -> hold(talk, s));
                    } catch (IOException e) {
                        return;
                    }
                }
            });
        }

        private static void hold(Talk talk, Socket s) {
            try (s) {
                talk.with(new BufferedReader(new InputStreamReader(s.getInputStream(), StandardCharsets.ISO_8859_1)), s.getOutputStream());
            } catch (IOException e) {
                // The client has gone.
            }
        }

        String address() {
            return "127.0.0.1:" + socket.getLocalPort();
        }

        @Override
        public void close() throws IOException {
            socket.close();
            for (Socket s : connections) {
                s.close();
            }
        }
    }

    private static void send(OutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.ISO_8859_1));
        out.flush();
    }

    private static RemoteCache memcached(Server s, int maxItemBytes, PrometheusRegistry registry) {
        return new MemcachedCache(new MemcachedCache.Settings(List.of(s.address()), 2000, 5, 1, 100, 10, 0, maxItemBytes, 10_000,
                SetBreaker.Settings.OFF), Dns.SYSTEM, new CacheMetrics(registry).client("memcached", "index-cache"));
    }

    private static RemoteCache redis(Server s) {
        return new RedisCache(new RedisCache.Settings(List.of(s.address()), "", "", "", 0, 2000, 300, 2, 0, 2, 0, 100, 1, Optional.empty(),
                "", SetBreaker.Settings.OFF), new CacheMetrics(new PrometheusRegistry()).client("redis", "index-cache"));
    }

    private static double counted(PrometheusRegistry registry, String name, String... labels) {
        return registry.scrape().stream().filter(m -> m.getMetadata().getName().equals(name))
                .flatMap(m -> ((CounterSnapshot) m).getDataPoints().stream())
                .filter(d -> {
                    for (int i = 0; i < labels.length; i += 2) {
                        if (!labels[i + 1].equals(d.getLabels().get(labels[i]))) {
                            return false;
                        }
                    }
                    return true;
                }).mapToDouble(CounterSnapshot.CounterDataPointSnapshot::getValue).sum();
    }

    private static void await(BooleanSupplier condition) {
        for (int i = 0; i < 1000 && !condition.getAsBoolean(); i++) {
            LockSupport.parkNanos(5_000_000);
        }
        assertThat(condition.getAsBoolean()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"HTTP/1.1 400 Bad Request\r\n\r\n", "VALUE a 0 3\r\nab", "VALUE a 0 -1\r\nEND\r\n", "VALUE a 0 x\r\n",
            "VALUE a 0 99999999999\r\n", "VALUE a 0 2000000000\r\nab", "VALUE b 0 1\r\nb\r\nEND\r\n", "VALUE a 0 1\r\nabEND\r\n",
            "SERVER_ERROR out of memory\r\n", "ERROR\r\n", "", "\u0000\u0001\u0002\r\n"})
    void whatIsNoAnswerOfMemcachedIsNotFound(String answer) throws IOException {
        try (Server s = new Server((in, out) -> {
            in.readLine();
            send(out, answer);
        }); RemoteCache c = memcached(s, 1 << 20, new PrometheusRegistry())) {
            assertThat(c.getAll(List.of("a"))).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {":1\r\n", "+OK\r\n", "$2\r\nab\r\n", "*1\r\n:7\r\n", "*1\r\n$5\r\nab", "*-1\r\n", "-LOADING\r\n",
            "-MOVED 1 127.0.0.1:1\r\n", "HTTP/1.1 400\r\n", "*1\r\n*1\r\n$1\r\na\r\n", ""})
    void whatIsNoAnswerOfRedisIsNotFound(String answer) throws IOException {
        try (Server s = new Server((in, out) -> {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                if (line.equals("MGET")) {
                    send(out, answer);
                    return;
                }
                if (line.equals("CLIENT") || line.equals("HELLO")) {
                    send(out, "+OK\r\n");
                }
            }
        }); RemoteCache c = redis(s)) {
            assertThat(c.getAll(List.of("a"))).isEmpty();
        }
    }

    @Test
    void aServerThatClosedItsConnectionsIsAskedAgainAtOnce() throws IOException {
        PrometheusRegistry registry = new PrometheusRegistry();
        try (Server s = new Server((in, out) -> {
            in.readLine();
            send(out, "VALUE a 0 1\r\n1\r\nEND\r\n");
        }); RemoteCache c = memcached(s, 1 << 20, registry)) {
            for (int i = 1; i <= 5; i++) {
                assertThat(c.getAll(List.of("a"))).containsKey("a");
                int n = i;
                await(() -> s.connections.size() >= n && s.connections.get(n - 1).isClosed());
            }
            assertThat(counted(registry, "thanos_memcached_operation_failures")).isZero();
        }
    }

    @Test
    void whatMemcachedHasNoRoomForFailsAloneAndTheConnectionStays() throws IOException {
        PrometheusRegistry registry = new PrometheusRegistry();
        try (Server s = new Server((in, out) -> {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                if (line.startsWith("set ")) {
                    in.readLine();
                    send(out, "SERVER_ERROR object too large for cache\r\n");
                } else {
                    send(out, "VALUE a 0 1\r\n1\r\nEND\r\n");
                }
            }
        }); RemoteCache c = memcached(s, 0, registry)) {
            c.set("a", new byte[2 << 20], 90L * 24 * 3600);
            await(() -> counted(registry, "thanos_memcached_operation_failures", "name", "index-cache", "operation", "set", "reason",
                    "server-error") == 1);
            assertThat(c.getAll(List.of("a"))).containsKey("a");
            assertThat(s.connections).hasSize(1);
        }
    }

    @Test
    void keysThatWouldEndTheCommandAreNotSent() throws IOException {
        PrometheusRegistry registry = new PrometheusRegistry();
        List<String> lines = new CopyOnWriteArrayList<>();
        try (Server s = new Server((in, out) -> {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                lines.add(line);
                send(out, "END\r\n");
            }
        }); RemoteCache c = memcached(s, 1000, registry)) {
            for (String key : List.of("a b", "a\r\nflush_all", "ü", "k".repeat(251))) {
                c.set(key, new byte[1], 1);
                assertThat(c.getAll(List.of(key))).isEmpty();
            }
            assertThat(c.getAll(List.of("a b", "plain"))).isEmpty();
            c.set("plain", new byte[1001], 1);
            assertThat(counted(registry, "thanos_memcached_operation_skipped", "reason", "malformed-key")).isEqualTo(4);
            assertThat(counted(registry, "thanos_memcached_operation_skipped", "reason", "max-item-size")).isEqualTo(1);
        }
        assertThat(lines).containsExactly("get plain");
    }

    @Test
    void failuresThatComeTogetherAreOneAndPausesGrow() {
        long[] now = {5};
        CacheHealth h = new CacheHealth("a server", () -> now[0]);
        for (int i = 0; i < 100; i++) {
            assertThat(h.mayAsk()).isTrue();
        }
        for (int i = 0; i < 100; i++) {
            h.failed("it is not there");
        }
        for (long pause = 1; pause <= 32; pause *= 2) {
            assertThat(h.mayAsk()).isFalse();
            now[0] += Math.min(30, pause) * 1_000_000_000;
            assertThat(h.mayAsk()).as("after " + pause).isTrue();
            assertThat(h.mayAsk()).as("one at a time").isFalse();
            h.notAsked();
            assertThat(h.mayAsk()).as("it was not asked").isTrue();
            h.failed("it is not there");
        }
        now[0] += 30_000_000_000L;
        assertThat(h.mayAsk()).isTrue();
        h.worked();
        assertThat(h.mayAsk()).isTrue();
        assertThat(h.mayAsk()).isTrue();
    }

    /** Keeps what it is given, and lets a test put in more. */
    private static final class MapCache implements RemoteCache {
        final Map<String, byte[]> values = new HashMap<>();

        @Override
        public Map<String, byte[]> getAll(Collection<String> keys) {
            Map<String, byte[]> out = new HashMap<>(values);
            out.keySet().retainAll(keys);
            return out;
        }

        @Override
        public void set(String key, byte[] value, long ttlSeconds) {
            values.put(key, value);
        }

        @Override
        public void close() {
        }
    }

    private static CachingBucket caching(MapCache cache, MemoryBucket bucket, String store) {
        return caching(cache, bucket, store, new PrometheusRegistry());
    }

    private static CachingBucket caching(MapCache cache, MemoryBucket bucket, String store, PrometheusRegistry registry) {
        return new CachingBucket(FaultyBucket.counting(bucket), cache, new CachingBucket.Settings(100, 3, 60, 60, 60, 50, 60, 60, 60),
                store, "memcached", registry);
    }

    @Test
    void theCachingBucketTakesWholePiecesOnlyAndTellsStoresApart() throws Exception {
        String id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        byte[] data = new byte[1000];
        byte[] large = new byte[51];
        Seeds.random(1).nextBytes(data);
        MapCache cache = new MapCache();
        MemoryBucket one = new MemoryBucket("same name");
        one.upload(id + "/chunks/000001", ObjectBody.of(data));
        one.upload(id + "/meta.json", ObjectBody.of(large));
        try (CachingBucket b = caching(cache, one, "one"); CachingBucket other = caching(cache, new MemoryBucket("same name"), "two")) {
            assertThat(b.readRange(id + "/chunks/000001", 150, 300)).isEqualTo(java.util.Arrays.copyOfRange(data, 150, 450));
            assertThat(cache.values).hasSize(4);
            cache.values.replaceAll((k, v) -> new byte[v.length + 1]);
            assertThat(b.readRange(id + "/chunks/000001", 150, 300)).isEqualTo(java.util.Arrays.copyOfRange(data, 150, 450));
            for (int i = 0; i < 2; i++) {
                try (var in = b.open(id + "/meta.json")) {
                    assertThat(in.readAllBytes()).as("more than is kept").isEqualTo(large);
                }
            }
            List<String> listed = new ArrayList<>();
            b.listRecursive("", o -> listed.add(o.key()));
            assertThat(listed).hasSize(2);
            other.listRecursive("", o -> listed.add(o.key()));
            assertThat(listed).hasSize(2);
        }
    }

    @Test
    void theCachingBucketCountsAsThanosDoes() throws Exception {
        String id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        PrometheusRegistry registry = new PrometheusRegistry();
        MapCache cache = new MapCache();
        MemoryBucket bucket = new MemoryBucket("counted");
        bucket.upload(id + "/chunks/000001", ObjectBody.of(new byte[1000]));
        bucket.upload(id + "/meta.json", ObjectBody.of(new byte[10]));
        try (CachingBucket b = caching(cache, bucket, "one", registry)) {
            b.readRange(id + "/chunks/000001", 0, 100);
            b.readRange(id + "/chunks/000001", 0, 400);
            for (int i = 0; i < 2; i++) {
                b.open(id + "/meta.json").close();
                b.find(id + "/meta.json");
                b.find(id + "/chunks/000001");
            }
        }
        String requests = "thanos_store_bucket_cache_operation_requests";
        String hits = "thanos_store_bucket_cache_operation_hits";
        assertThat(counted(registry, requests, "config", "chunks", "operation", "get_range")).isEqualTo(2);
        assertThat(counted(registry, hits, "config", "chunks", "operation", "get_range")).as("one piece of four").isEqualTo(0.25);
        for (String[] c : new String[][]{{"chunks", "attributes"}, {"meta.jsons", "get"}, {"meta.jsons", "exists"}}) {
            assertThat(counted(registry, requests, "config", c[0], "operation", c[1])).as(c[1]).isEqualTo(2);
            assertThat(counted(registry, hits, "config", c[0], "operation", c[1])).as(c[1]).isEqualTo(1);
        }
        String bytes = "thanos_store_bucket_cache_getrange_";
        assertThat(counted(registry, bytes + "requested_bytes", "config", "chunks")).isEqualTo(500);
        assertThat(counted(registry, bytes + "fetched_bytes", "config", "chunks", "origin", "bucket")).isEqualTo(400);
        assertThat(counted(registry, bytes + "fetched_bytes", "config", "chunks", "origin", "cache")).isEqualTo(100);
        assertThat(counted(registry, "thanos_cache_memcached_requests", "name", "caching-bucket")).isEqualTo(11);
        assertThat(counted(registry, "thanos_cache_memcached_hits", "name", "caching-bucket")).isEqualTo(4);
    }
}
