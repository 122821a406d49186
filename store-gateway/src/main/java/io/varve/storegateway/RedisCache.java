package io.varve.storegateway;

import io.varve.model.ErrorText;
import io.varve.model.InvalidRequestException;
import io.varve.objstore.TlsFiles;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Semaphore;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.ConnectionPoolConfig;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.RedisSentinelClient;
import redis.clients.jedis.Response;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisAccessControlException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.SetParams;

/** Redis, one server or a group behind sentinels. A server that fails is left alone for a while. */
final class RedisCache implements RemoteCache {
    private static final Logger LOG = LoggerFactory.getLogger(RedisCache.class);
    /** However long the server may take, a request does not wait longer for what may not be there. */
    private static final long MAX_WAIT_MILLIS = 1000;

    /**
     * Settings, named as in the YAML.
     *
     * @param addresses host:port; with {@code masterName} those of the sentinels, otherwise the first that answers is used
     * @param prefix before every key
     * @param username may be empty
     * @param password may be empty
     * @param database number
     * @param dialMillis to connect
     * @param readMillis to wait for an answer
     * @param getConcurrency gets at a time, 0 = no bound
     * @param getBatch keys per get, 0 = all
     * @param setConcurrency batches of sets at a time, 0 = no bound
     * @param setBatch sets sent together, 0 = whatever waits
     * @param asyncBuffer sets waiting
     * @param asyncConcurrency threads that send sets
     * @param tls whether and how to use TLS
     * @param masterName name of the master at the sentinels, empty for none
     * @param breaker when sets are given up
     */
    record Settings(List<String> addresses, String prefix, String username, String password, int database, int dialMillis, int readMillis,
            int getConcurrency, int getBatch, int setConcurrency, int setBatch, int asyncBuffer, int asyncConcurrency, Optional<Tls> tls,
            String masterName, SetBreaker.Settings breaker) {
    }

    /**
     * TLS, as the YAML's {@code tls_config} has it.
     *
     * @param caFile who is trusted; empty for the platform's
     * @param certFile certificate of this side; empty for none
     * @param keyFile its key
     * @param serverName whom the server's certificate must name; empty for the host that is dialled
     * @param verify whether the server's certificate is looked at
     */
    record Tls(String caFile, String certFile, String keyFile, String serverName, boolean verify) {
        SSLContext context() {
            try {
                SSLContext c = SSLContext.getInstance("TLS");
                c.init(certFile.isEmpty() ? null : TlsFiles.identity(certFile, keyFile),
                        verify ? TlsFiles.trust(caFile, System.getenv()).orElse(null) : TlsFiles.trustAll(), null);
                return c;
            } catch (GeneralSecurityException e) {
                throw new InvalidRequestException("TLS for redis: " + e.getMessage(), e);
            }
        }

        SSLParameters parameters() {
            SSLParameters p = new SSLParameters();
            if (verify) {
                p.setEndpointIdentificationAlgorithm("HTTPS");
            }
            if (!serverName.isEmpty()) {
                p.setServerNames(List.of(new SNIHostName(serverName)));
            }
            return p;
        }
    }

    private final Settings settings;
    private final CacheMetrics.Client metrics;
    private final CacheHealth health;
    private final @Nullable SSLContext tls;
    private final Semaphore gets;
    private final Semaphore setBatches;
    private final AsyncSets sets;
    private @Nullable UnifiedJedis client;
    private int nextAddress;

    RedisCache(Settings settings, CacheMetrics.Client metrics) {
        this.settings = settings;
        this.metrics = metrics;
        this.health = new CacheHealth("redis " + String.join(",", settings.addresses));
        this.gets = room(settings.getConcurrency);
        this.setBatches = room(settings.setConcurrency);
        // Files that cannot be read are told at the start.
        this.tls = settings.tls.map(Tls::context).orElse(null);
        this.sets = new AsyncSets(settings.asyncBuffer, AsyncSets.usualBytes(), settings.asyncConcurrency,
                settings.setBatch <= 0 ? Math.max(1, settings.asyncBuffer) : settings.setBatch, new SetBreaker(settings.breaker), metrics,
                this::store);
    }

    private static Semaphore room(int concurrency) {
        return new Semaphore(concurrency == 0 ? Integer.MAX_VALUE : concurrency);
    }

    private synchronized UnifiedJedis client() {
        UnifiedJedis c = client;
        if (c == null) {
            DefaultJedisClientConfig.Builder config = DefaultJedisClientConfig.builder().resp2()
                    .connectionTimeoutMillis(settings.dialMillis)
                    .socketTimeoutMillis(settings.readMillis).database(settings.database);
            secure(config);
            if (!settings.username.isEmpty()) {
                config.user(settings.username);
            }
            if (!settings.password.isEmpty()) {
                config.password(settings.password);
            }
            ConnectionPoolConfig pool = new ConnectionPoolConfig();
            // Nobody waits for a connection: there is one for everybody who may read or store.
            pool.setMaxTotal(settings.getConcurrency == 0 ? -1 : settings.getConcurrency + settings.asyncConcurrency);
            pool.setMaxIdle(Math.max(8, pool.getMaxTotal()));
            pool.setJmxEnabled(false);
            if (settings.masterName.isEmpty()) {
                HostAndPort at = HostAndPort.from(settings.addresses.get(nextAddress++ % settings.addresses.size()));
                c = RedisClient.builder().hostAndPort(at).clientConfig(config.build()).poolConfig(pool).build();
            } else {
                Set<HostAndPort> sentinels = new LinkedHashSet<>();
                settings.addresses.forEach(a -> sentinels.add(HostAndPort.from(a)));
                c = RedisSentinelClient.builder().masterName(settings.masterName).sentinels(sentinels).clientConfig(config.build())
                        .poolConfig(pool)
                        .build();
            }
            client = c;
        }
        return c;
    }

    /** What took the place of these methods reads key stores, not contexts. */
    @SuppressWarnings("deprecation")
    private void secure(DefaultJedisClientConfig.Builder config) {
        if (tls != null) {
            config.ssl(true).sslSocketFactory(tls.getSocketFactory());
            settings.tls.ifPresent(t -> config.sslParameters(t.parameters()));
        }
    }

    /**
     * Lets go of a client whose server does not answer: other connections of its are as good as closed, and with several addresses the next
     * attempt goes to the next one.
     */
    private synchronized void failed(@Nullable UnifiedJedis failing, Exception e) {
        if (Thread.currentThread().isInterrupted()) {
            // Whoever asked does not wait any more, which says nothing of the server.
            health.notAsked();
        } else {
            // The client's own words are of its pool; what is wrong with the server comes last.
            Throwable last = e;
            for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause()) {
                last = cause;
            }
            String told = ErrorText.of(e);
            health.failed(told.contains(ErrorText.of(last)) ? told : told + ": " + ErrorText.of(last));
        }
        LOG.atDebug().addKeyValue("err", e.toString()).log("redis does not answer");
        if (failing != null && failing == client && !(e instanceof JedisDataException)) {
            client = null;
            failing.close();
        }
    }

    private byte[] key(String key) {
        return (settings.prefix + key).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public Map<String, byte[]> getAll(Collection<String> keys) {
        List<String> all = List.copyOf(keys);
        int batch = settings.getBatch <= 0 ? Math.max(1, all.size()) : settings.getBatch;
        CacheReads reads = new CacheReads(gets, Math.min(MAX_WAIT_MILLIS, settings.readMillis), metrics);
        for (int i = 0; i < all.size(); i += batch) {
            List<String> part = all.subList(i, Math.min(all.size(), i + batch));
            reads.begin(health, () -> read(part));
        }
        return reads.found();
    }

    private Map<String, byte[]> read(List<String> keys) {
        metrics.tried("getmulti", 1);
        long start = System.nanoTime();
        UnifiedJedis c = null;
        try {
            c = client();
            List<byte[]> values = c.mget(keys.stream().map(this::key).toArray(byte[][]::new));
            Map<String, byte[]> out = new HashMap<>();
            for (int i = 0; i < keys.size() && i < values.size(); i++) {
                byte[] v = values.get(i);
                if (v != null) {
                    out.put(keys.get(i), v);
                }
            }
            health.worked();
            metrics.took("getmulti", start);
            return out;
        } catch (RuntimeException e) {
            // Not only the client's own: what is no answer to the question fails in many ways.
            failed(c, e);
            metrics.failed("getmulti", CacheMetrics.Reason.of(told(e)), 1);
            return Map.of();
        }
    }

    /** An error of the server's as such. */
    private static Exception told(RuntimeException e) {
        return e instanceof JedisDataException ? new ServerErrorException(ErrorText.of(e)) : e;
    }

    @Override
    public void set(String key, byte[] value, long ttlSeconds) {
        sets.add(key, value, ttlSeconds);
    }

    private void store(List<AsyncSets.Job> jobs) throws Exception {
        setBatches.acquire();
        try {
            if (health.mayAsk()) {
                send(jobs);
            } else {
                metrics.skipped("set", "server-down", jobs.size());
            }
        } finally {
            setBatches.release();
        }
    }

    private void send(List<AsyncSets.Job> jobs) throws Exception {
        UnifiedJedis c = null;
        try {
            c = client();
            try (AbstractPipeline pipeline = c.pipelined()) {
                List<Response<String>> answers = new ArrayList<>(jobs.size());
                for (AsyncSets.Job j : jobs) {
                    answers.add(pipeline.set(key(j.key()), j.value(), SetParams.setParams().ex(Math.max(1, j.ttlSeconds()))));
                }
                pipeline.sync();
                answers.forEach(Response::get);
            }
            health.worked();
        } catch (JedisAccessControlException e) {
            failed(c, e);
            throw told(e);
        } catch (JedisDataException e) {
            // It is there and answers, for these values it has no room, or they are for another server.
            health.worked();
            throw told(e);
        } catch (RuntimeException e) {
            failed(c, e);
            throw e;
        }
    }

    @Override
    public synchronized void close() {
        sets.close();
        UnifiedJedis c = client;
        if (c != null) {
            client = null;
            c.close();
        }
    }
}
