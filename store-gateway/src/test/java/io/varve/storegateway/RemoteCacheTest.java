package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.objstore.BucketOperation;
import io.varve.objstore.BucketReader;
import io.varve.objstore.FaultyBucket;
import io.varve.objstore.MemoryBucket;
import io.varve.objstore.ObjectBody;
import io.varve.runtime.Dns;
import io.varve.runtime.flags.FlagException;
import io.varve.store.SeriesRequest;
import io.varve.testkit.Seeds;
import io.varve.testkit.TempTree;
import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Memcached and Redis, with real servers where Debian's packages are installed; without any, with dead and with slow ones. */
class RemoteCacheTest {
    /** A server process on a free port; stops with the test. */
    private static final class Server implements AutoCloseable {
        final int port;
        final Process process;

        Server(String... command) throws IOException {
            try (ServerSocket s = new ServerSocket(0, 1, java.net.InetAddress.getLoopbackAddress())) {
                port = s.getLocalPort();
            }
            List<String> args = new ArrayList<>();
            for (String c : command) {
                args.add(c.replace("PORT", Integer.toString(port)));
            }
            process = new ProcessBuilder(args).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
            for (int i = 0; i < 500 && process.isAlive(); i++) {
                try (Socket s = new Socket()) {
                    s.connect(new InetSocketAddress("127.0.0.1", port), 100);
                    return;
                } catch (IOException e) {
                    Thread.onSpinWait();
                    java.util.concurrent.locks.LockSupport.parkNanos(10_000_000);
                }
            }
            process.destroyForcibly();
            throw new IOException(Arrays.toString(command) + " did not start");
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }

    private static CacheMetrics.Client metrics(String kind) {
        return new CacheMetrics(new PrometheusRegistry()).client(kind, "index-cache");
    }

    private static IndexCache indexCache(String yaml) {
        return CacheConfig.indexCache(yaml, "test", new CacheMetrics(new PrometheusRegistry()));
    }

    private static CachingBucket cachingBucket(String yaml, BucketReader bucket) {
        return CacheConfig.cachingBucket(yaml, "test", bucket, "store", new CacheMetrics(new PrometheusRegistry()));
    }

    private static boolean installed(String binary) {
        boolean there = new File(binary).canExecute();
        if (!there) {
            System.out.println("skipped: " + binary + " is not installed");
        }
        return there;
    }

    private static void answersStay(String yaml) {
        Seeds.forEach(2, random -> {
            MemoryBucket bucket = new MemoryBucket("cached");
            TestBlocks blocks = TestBlocks.random(bucket, random);
            // Two gateways share the cache; neither keeps pages, so that it is used.
            TestGateway.Setup setup = TestGateway.Setup.DEFAULT.disk(0)
                    .cache(r -> CacheConfig.indexCache(yaml, "test", new CacheMetrics(r)));
            for (int gateway = 0; gateway < 2; gateway++) {
                try (TestGateway g = new TestGateway(bucket, setup)) {
                    for (int i = 0; i < 25; i++) {
                        SeriesRequest q = RandomBlocksTest.request(random);
                        for (int again = 0; again < 2; again++) {
                            TestGateway.Answer a = g.series(q);
                            assertThat(a.warnings()).isEmpty();
                            assertThat(a.lines().stream().map(l -> new TestGateway.Line(l.labels(), l.chunks().stream().sorted().toList()))
                                    .toList())
                                    .isEqualTo(blocks.expected(q));
                        }
                    }
                }
            }
        });
    }

    private static void keepsAndFinds(RemoteCache cache) throws InterruptedException {
        byte[] big = new byte[100_000];
        Seeds.random(1).nextBytes(big);
        Map<String, byte[]> found = Map.of();
        // What cannot be stored at once is dropped, as it is where a busy machine is slow to connect: then it is stored again.
        for (int i = 0; i < 3000 && found.size() < 3; i++) {
            if (i % 100 == 0) {
                cache.set("a", new byte[]{1, 2, 3}, 60);
                cache.set("big", big, 60);
                cache.set("empty", new byte[0], 60);
            }
            found = cache.getAll(List.of("a", "b", "big", "empty"));
            java.util.concurrent.locks.LockSupport.parkNanos(10_000_000);
        }
        assertThat(found.keySet()).isEqualTo(Set.of("a", "big", "empty"));
        assertThat(found.get("big")).isEqualTo(big);
    }

    @Test
    void memcachedKeepsWhatIsStored() throws Exception {
        assumeTrue(installed("/usr/bin/memcached"));
        try (Server a = new Server("/usr/bin/memcached", "-l", "127.0.0.1", "-p", "PORT", "-U", "0", "-u", "nobody");
                Server b = new Server("/usr/bin/memcached", "-l", "127.0.0.1", "-p", "PORT", "-U", "0", "-u", "nobody")) {
            String yaml = "type: MEMCACHED\nconfig:\n  addresses: [\"127.0.0.1:" + a.port + "\", \"dns+localhost:" + b.port
                    + "\"]\n  max_get_multi_batch_size: 3\n";
            try (RemoteCache c = new MemcachedCache(
                    new MemcachedCache.Settings(List.of("127.0.0.1:" + a.port), 2000, 5, 2, 100, 10, 2, 1 << 20, 10_000,
                            SetBreaker.Settings.OFF),
                    Dns.SYSTEM,
                    metrics("memcached"))) {
                keepsAndFinds(c);
            }
            answersStay(yaml);
        }
    }

    @Test
    void redisKeepsWhatIsStored() throws Exception {
        assumeTrue(installed("/usr/bin/redis-server"));
        try (Server s = new Server("/usr/bin/redis-server", "--port", "PORT", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")) {
            String yaml = "type: REDIS\nconfig:\n  addr: 127.0.0.1:" + s.port
                    + "\n  prefix: 'x:'\nenabled_items: [Postings, ExpandedPostings, Series]\n";
            try (RemoteCache c = new RedisCache(
                    new RedisCache.Settings(List.of("127.0.0.1:" + s.port), "p:", "", "", 0, 2000, 2000, 10, 2, 2, 2, 100, 2,
                            Optional.empty(), "", SetBreaker.Settings.OFF),
                    metrics("redis"))) {
                keepsAndFinds(c);
            }
            answersStay(yaml);
        }
    }

    private static RemoteCache redis(String address, Optional<RedisCache.Tls> tls, String user, String password, String master) {
        return new RedisCache(new RedisCache.Settings(List.of(address), "p:", user, password, 0, 2000, 2000, 10, 2, 2, 100, 100, 2, tls,
                master, SetBreaker.Settings.OFF), metrics("redis"));
    }

    /** A certificate that signs itself, for the name {@code cache.example} and the loopback address. */
    private static void certificate(TempTree dir, String name) throws Exception {
        Process p = new ProcessBuilder("/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:cache.example", "-keyout",
                dir.resolve(name + ".key").toString(), "-out", dir.resolve(name + ".crt").toString()).redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        assertThat(p.waitFor()).isZero();
    }

    @Test
    void redisIsReachedOverTlsWithAPassword() throws Exception {
        assumeTrue(installed("/usr/bin/redis-server") && installed("/usr/bin/openssl"));
        try (TempTree dir = TempTree.create()) {
            certificate(dir, "server");
            certificate(dir, "client");
            String server = dir.resolve("server.crt").toString();
            String client = dir.resolve("client.crt").toString();
            String key = dir.resolve("client.key").toString();
            try (Server s = new Server("/usr/bin/redis-server", "--port", "0", "--tls-port", "PORT", "--bind", "127.0.0.1", "--save", "",
                    "--appendonly", "no", "--tls-cert-file", server, "--tls-key-file", dir.resolve("server.key").toString(),
                    "--tls-ca-cert-file", client, "--user", "default", "off", "--user", "varve", "on", ">secret", "~p:*", "+@all")) {
                String at = "127.0.0.1:" + s.port;
                try (RemoteCache c = redis(at, Optional.of(new RedisCache.Tls(server, client, key, "cache.example", true)), "varve",
                        "secret", "")) {
                    keepsAndFinds(c);
                }
                // The address is not in the certificate.
                try (RemoteCache c = redis(at, Optional.of(new RedisCache.Tls(server, client, key, "", true)), "varve", "secret", "")) {
                    assertThat(c.getAll(List.of("a"))).isEmpty();
                }
                try (RemoteCache c = redis(at, Optional.of(new RedisCache.Tls("", client, key, "", false)), "varve", "secret", "")) {
                    assertThat(c.getAll(List.of("a"))).containsKey("a");
                }
                try (RemoteCache c = redis(at, Optional.of(new RedisCache.Tls(server, client, key, "cache.example", true)), "varve",
                        "guess", "")) {
                    assertThat(c.getAll(List.of("a"))).isEmpty();
                }
                String yaml = "type: REDIS\nconfig: {addr: '" + at
                        + "', prefix: 'p:', username: varve, password: secret, tls_enabled: true, "
                        + "tls_config: {ca_file: '" + server + "', cert_file: '" + client + "', key_file: '" + key
                        + "', server_name: cache.example}, set_multi_batch_size: 3, max_set_multi_concurrency: 1}\n";
                answersStay(yaml);
            }
        }
    }

    @Test
    void redisIsFoundThroughItsSentinel() throws Exception {
        assumeTrue(installed("/usr/bin/redis-server"));
        try (TempTree dir = TempTree.create();
                Server s = new Server("/usr/bin/redis-server", "--port", "PORT", "--bind", "127.0.0.1", "--save", "", "--appendonly",
                        "no")) {
            Path config = Files.writeString(dir.resolve("sentinel.conf"),
                    "sentinel monitor cachemaster 127.0.0.1 " + s.port + " 1\nbind 127.0.0.1\ndir " + dir.root() + "\n");
            try (Server sentinel = new Server("/usr/bin/redis-server", config.toString(), "--sentinel", "--port", "PORT");
                    RemoteCache c = redis("127.0.0.1:" + sentinel.port, Optional.empty(), "", "", "cachemaster")) {
                keepsAndFinds(c);
            }
        }
    }

    @Test
    void aBreakerOpensAndTriesAgain() {
        long[] now = new long[1];
        SetBreaker b = new SetBreaker(new SetBreaker.Settings(true, 2, 5000, 4, 3, 0.5), () -> now[0]);
        for (boolean worked : new boolean[]{true, true, true, false}) {
            assertThat(b.mayTry()).isTrue();
            b.done(worked);
        }
        assertThat(b.mayTry()).as("one failure of four is not enough").isTrue();
        b.done(false);
        assertThat(b.mayTry()).isTrue();
        b.done(false);
        assertThat(b.mayTry()).as("three in a row are").isFalse();
        now[0] += 5_000_000_000L;
        assertThat(b.mayTry()).isTrue();
        assertThat(b.mayTry()).isTrue();
        assertThat(b.mayTry()).as("two are tried after the pause").isFalse();
        b.done(true);
        b.done(true);
        assertThat(b.mayTry()).as("both worked").isTrue();
        b.done(true);
        SetBreaker off = new SetBreaker(SetBreaker.Settings.OFF, () -> now[0]);
        for (int i = 0; i < 200; i++) {
            assertThat(off.mayTry()).isTrue();
            off.done(false);
        }
    }

    @Test
    void memcachedServersAreFoundByName() throws Exception {
        assumeTrue(installed("/usr/bin/memcached"));
        try (Server a = new Server("/usr/bin/memcached", "-l", "127.0.0.1", "-p", "PORT", "-U", "0", "-u", "nobody")) {
            Dns names = new Dns() {
                @Override
                public List<String> addresses(String host) {
                    return List.of("127.0.0.1");
                }

                @Override
                public List<String> services(String name) {
                    return List.of("cache.example:" + a.port);
                }
            };
            try (RemoteCache c = new MemcachedCache(
                    new MemcachedCache.Settings(List.of("dnssrv+_memcache._tcp.example"), 2000, 5, 2, 100, 10,
                            2, 1 << 20, 10_000, SetBreaker.Settings.OFF),
                    names, metrics("memcached"))) {
                keepsAndFinds(c);
            }
        }
    }

    @Test
    void theCachingBucketKeepsSizesAndAbsence() {
        MemoryBucket memory = new MemoryBucket("attributes");
        memory.upload("01ARZ3NDEKTSV4RRFFQ69G5FAV/chunks/000001", ObjectBody.of(new byte[7]));
        memory.upload("01ARZ3NDEKTSV4RRFFQ69G5FAV/meta.json", ObjectBody.of(new byte[9]));
        FaultyBucket counted = FaultyBucket.counting(memory);
        try (CachingBucket b = cachingBucket("type: IN-MEMORY\nchunk_object_attrs_ttl: 1h\nmetafile_exists_ttl: 1h\n"
                + "metafile_doesnt_exist_ttl: 1h\n", counted)) {
            for (int i = 0; i < 2; i++) {
                assertThat(b.find("01ARZ3NDEKTSV4RRFFQ69G5FAV/chunks/000001").orElseThrow().size()).isEqualTo(7);
                assertThat(b.find("01ARZ3NDEKTSV4RRFFQ69G5FAV/meta.json")).isEqualTo(memory.find("01ARZ3NDEKTSV4RRFFQ69G5FAV/meta.json"));
                assertThat(b.find("01ARZ3NDEKTSV4RRFFQ69G5FAV/deletion-mark.json")).isEmpty();
            }
            assertThat(counted.counts().values().stream().mapToLong(Long::longValue).sum()).isEqualTo(3);
        }
    }

    @Test
    void aDeadServerSlowsNothing() throws IOException {
        int port;
        try (ServerSocket s = new ServerSocket(0, 1, java.net.InetAddress.getLoopbackAddress())) {
            port = s.getLocalPort();
        }
        for (String yaml : List.of("type: MEMCACHED\nconfig:\n  addresses: [\"127.0.0.1:" + port + "\"]\n",
                "type: REDIS\nconfig:\n  addr: 127.0.0.1:" + port + "\n")) {
            try (IndexCache c = indexCache(yaml)) {
                long start = System.nanoTime();
                for (int i = 0; i < 200; i++) {
                    assertThat(c.postings("01ARZ3NDEKTSV4RRFFQ69G5FAV", new long[]{i}, "t")).isEmpty();
                    c.putPostings("01ARZ3NDEKTSV4RRFFQ69G5FAV", i, new byte[10]);
                }
                assertThat(System.nanoTime() - start).isLessThan(8_000_000_000L);
            }
        }
    }

    @Test
    void aServerThatNeverAnswersCostsOneTimeout() throws IOException {
        try (ServerSocket silent = new ServerSocket(0, 50, java.net.InetAddress.getLoopbackAddress())) {
            for (String yaml : List.of(
                    "type: MEMCACHED\nconfig:\n  addresses: [\"127.0.0.1:" + silent.getLocalPort() + "\"]\n  timeout: 200ms\n",
                    "type: REDIS\nconfig:\n  addr: 127.0.0.1:" + silent.getLocalPort()
                            + "\n  read_timeout: 200ms\n  write_timeout: 200ms\n")) {
                try (IndexCache c = indexCache(yaml)) {
                    long start = System.nanoTime();
                    for (int i = 0; i < 100; i++) {
                        assertThat(c.postings("01ARZ3NDEKTSV4RRFFQ69G5FAV", new long[]{i}, "t")).isEmpty();
                    }
                    assertThat(System.nanoTime() - start).as("not a hundred timeouts").isLessThan(8_000_000_000L);
                }
            }
        }
    }

    @Test
    void theCachingBucketServesPiecesThatItHas() {
        MemoryBucket memory = new MemoryBucket("pieces");
        byte[] data = new byte[100_003];
        Seeds.random(3).nextBytes(data);
        memory.upload("01ARZ3NDEKTSV4RRFFQ69G5FAV/chunks/000001", ObjectBody.of(data));
        FaultyBucket counted = FaultyBucket.counting(memory);
        try (CachingBucket b = cachingBucket("type: IN-MEMORY\nchunk_subrange_size: 1000\n", counted)) {
            Seeds.forEach(50, random -> {
                int from = random.nextInt(data.length);
                int length = 1 + random.nextInt(20_000);
                byte[] got = b.readRange("01ARZ3NDEKTSV4RRFFQ69G5FAV/chunks/000001", from, length);
                assertThat(got).isEqualTo(Arrays.copyOfRange(data, from, Math.min(data.length, from + length)));
            });
            long before = counted.counts().getOrDefault(BucketOperation.GET_RANGE, 0L);
            readTwice(b, data);
            assertThat(counted.counts().getOrDefault(BucketOperation.GET_RANGE, 0L) - before).isLessThanOrEqualTo(3);
            List<String> first = new ArrayList<>();
            b.listRecursive("", o -> first.add(o.key() + o.size()));
            List<String> second = new ArrayList<>();
            b.listRecursive("", o -> second.add(o.key() + o.size()));
            assertThat(second).isEqualTo(first).hasSize(1);
            assertThat(counted.counts()).containsEntry(BucketOperation.ITER, 1L);
        }
    }

    private static void readTwice(CachingBucket b, byte[] data) {
        try {
            for (int i = 0; i < 2; i++) {
                assertThat(b.readRange("01ARZ3NDEKTSV4RRFFQ69G5FAV/chunks/000001", 5000, 30_000))
                        .isEqualTo(Arrays.copyOfRange(data, 5000, 35_000));
            }
        } catch (io.varve.objstore.NoSuchObjectException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void whatCannotBeHonouredIsRefusedByName() {
        Map.of("type: MEMCACHED\nconfig:\n  addresses: ['x:1']\n  auto_discovery: true\n", "auto_discovery",
                "type: REDIS\nconfig:\n  adr: x\n", "adr",
                "type: REDIS\nconfig:\n  addr: x:1\n  tls_config: {ca_file: x}\n", "tls_enabled",
                "type: REDIS\nconfig:\n  addr: x:1\n  set_async_circuit_breaker_config: {failure_percent: 2}\n", "failure_percent",
                "type: REDIS\nconfig:\n  addr: x:1\n  cache_size: 10MB\n", "cache_size", "type: WHAT\n", "WHAT",
                "type: IN-MEMORY\nenabled_items: [Chunks]\n",
                "Chunks", "type: MEMCACHED\nconfig: {}\n", "addresses", "type: MEMCACHED\nconfig:\n  addresses: ['nope']\n", "nope")
                .forEach(
                        (yaml, name) -> assertThatThrownBy(() -> indexCache(yaml)).as(yaml)
                                .isInstanceOf(FlagException.class).hasMessageContaining(name));
        for (String config : List.of("config: text", "config: [a]", "config: {addresses: 'x:1'}", "config: {addresses: [x:99999]}",
                "config: {addresses: [x:0]}", "config: {addresses: [srv+x:1]}", "config: {addresses: [{a: b}]}",
                "config: {addresses: [x:1], timeout: -1s}", "config: {addresses: [x:1], timeout: soon}",
                "config: {addresses: [x:1], auto_discovery: maybe}", "config: {addresses: [x:1], max_item_size: -1}",
                "config: {addresses: [x:1], dns_provider_update_interval: 0s}", "config: {addresses: [x:1], max_async_concurrency: 0}",
                "config: {addresses: [x:1], tls_enabled: true}", "config: {addresses: [x:1]}\nttl: -1h",
                "config: {addresses: [x:1]}\nenabled_items: Postings")) {
            assertThatThrownBy(() -> indexCache("type: MEMCACHED\n" + config)).as(config).isInstanceOf(FlagException.class);
        }
        for (String config : List.of("addr: x:1, tls_enabled: maybe", "addr: [x:1]", "addr: x:1, db: 1.5", "addr: x:1, read_timeout: -1ns",
                "addr: x:99999", "addr: x:1, prefix: {a: b}", "addr: x:1, pool_size: 1", "addr: x:1, set_async_circuit_breaker_config: 1",
                "addr: x:1, set_async_circuit_breaker_config: {open_duration: 0s}")) {
            assertThatThrownBy(() -> indexCache("type: REDIS\nconfig: {" + config + "}")).as(config).isInstanceOf(FlagException.class);
        }
        for (String config : List.of("max_size: -1", "max_size: 10MB", "max_size: {}", "size: 1")) {
            assertThatThrownBy(() -> indexCache("type: IN-MEMORY\nconfig: {" + config + "}")).as(config).isInstanceOf(FlagException.class);
            assertThatThrownBy(() -> cachingBucket("type: IN-MEMORY\nconfig: {" + config + "}", new MemoryBucket("x"))).as(config)
                    .isInstanceOf(FlagException.class);
        }
        assertThatThrownBy(() -> indexCache("[]")).isInstanceOf(FlagException.class);
        assertThatThrownBy(() -> cachingBucket("type: GROUPCACHE\n", new MemoryBucket("x")))
                .isInstanceOf(FlagException.class).hasMessageContaining("GROUPCACHE");
    }

    @Test
    void zeroMeansWhatItMeansInThanos() {
        for (String yaml : List.of(
                "type: memcached\nconfig: {addresses: ['127.0.0.1:1', 'dnssrv+x.y'], timeout: 0, max_item_size: 0, max_get_multi_concurrency: 0, "
                        + "max_get_multi_batch_size: 0, max_idle_connections: 0, auto_discovery: no}\nttl: 0s\nenabled_items: []",
                "type: redis\nconfig: {addr: '127.0.0.1:1,[::1]:2', dial_timeout: 0s, read_timeout: 0, write_timeout: 0, cache_size: 0, "
                        + "max_get_multi_concurrency: 0, max_set_multi_concurrency: 0, get_multi_batch_size: 0, set_multi_batch_size: 0, "
                        + "tls_enabled: off, set_async_circuit_breaker_config: {enabled: yes, min_requests: 0}}",
                "type: In-Memory\nconfig:\n  max_size: 1GiB\n", "type: IN-MEMORY\nconfig:\n")) {
            try (IndexCache c = indexCache(yaml)) {
                assertThat(c.postings("01ARZ3NDEKTSV4RRFFQ69G5FAV", new long[]{1}, "t")).as(yaml).isEmpty();
            }
        }
        cachingBucket("type: IN-MEMORY\nmax_chunks_get_range_requests: -1\nblocks_iter_ttl: 0s\nmetafile_max_size: 1MB\n"
                + "chunk_subrange_size: 1000\n", new MemoryBucket("x")).close();
    }

    @Test
    void idsSurviveTheirEncodingAndGarbageIsNotFound() {
        Seeds.forEach(100, random -> {
            long[] ids = new long[random.nextInt(50)];
            long id = 0;
            for (int i = 0; i < ids.length; i++) {
                id += 1 + random.nextInt(100_000);
                ids[i] = id;
            }
            byte[] bytes = RemoteIndexCache.encode(ids);
            assertThat(RemoteIndexCache.decode(bytes)).isEqualTo(ids);
            bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
            assertThat(RemoteIndexCache.decode(bytes)).isNull();
        });
    }

    @Test
    void keysGoToTheServersThatThanosChooses() {
        // Published values of jump consistent hash.
        assertThat(MemcachedCache.jump(0, 1)).isZero();
        assertThat(MemcachedCache.jump(1, 1)).isZero();
        assertThat(MemcachedCache.jump(0xdeadbeefL, 1)).isZero();
        assertThat(MemcachedCache.jump(256, 1024)).isEqualTo(520);
        assertThat(MemcachedCache.jump(42, 57)).isEqualTo(43);
        assertThat(MemcachedCache.jump(0xDEAD10CCL, 666)).isEqualTo(361);
    }
}
