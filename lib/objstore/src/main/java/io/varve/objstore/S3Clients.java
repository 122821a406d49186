package io.varve.objstore;

import java.net.URI;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import javax.net.ssl.TrustManager;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProviderChain;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.ContainerCredentialsProvider;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.awssdk.auth.credentials.InstanceProfileCredentialsProvider;
import software.amazon.awssdk.auth.credentials.ProfileCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttribute;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpConfigurationOption;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.http.apache5.ProxyConfiguration;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.sts.StsClient;
import software.amazon.awssdk.services.sts.StsClientBuilder;
import software.amazon.awssdk.services.sts.auth.StsWebIdentityTokenFileCredentialsProvider;
import software.amazon.awssdk.utils.AttributeMap;

/** Builds the AWS SDK's clients as an {@link S3Config} and the environment say. */
final class S3Clients {
    private static final Logger LOG = LoggerFactory.getLogger(S3Clients.class);
    /** Thanos' client tries ten times. */
    private static final int DEFAULT_RETRIES = 9;
    private static final ExecutionAttribute<Long> STARTED = new ExecutionAttribute<>("varve.started");

    /** An empty list trusts nobody. */
    private static final TrustManager[] NOBODY = {};

    private S3Clients() {
    }

    /** A client and what must be closed with it, last first. */
    record Client(Lazily s3, Optional<S3Reads> reads, List<AutoCloseable> resources) {
    }

    /** Builds the client when it is first needed, which may be never: that takes a good part of a process' start. Safe for many threads. */
    static final class Lazily implements AutoCloseable {
        private final Supplier<S3Client> builder;
        private @Nullable S3Client built;

        Lazily(Supplier<S3Client> builder) {
            this.builder = builder;
        }

        synchronized S3Client get() {
            S3Client c = built;
            if (c == null) {
                c = builder.get();
                built = c;
            }
            return c;
        }

        @Override
        public synchronized void close() {
            if (built != null) {
                built.close();
            }
        }
    }

    static Client open(S3Config config, Map<String, String> env) {
        List<AutoCloseable> resources = new ArrayList<>();
        SdkHttpClient http = http(config, env, config.url());
        resources.add(http);
        AwsCredentialsProvider credentials = credentials(config, env, resources);
        Lazily s3 = new Lazily(() -> client(config, http, credentials));
        resources.add(s3);
        return new Client(s3, reads(config, http, credentials), resources);
    }

    private static S3Client client(S3Config config, SdkHttpClient http, AwsCredentialsProvider credentials) {
        S3ClientBuilder builder = S3Client.builder().httpClient(http).credentialsProvider(credentials)
                .region(Region.of(config.knownRegion().orElse("us-east-1"))).forcePathStyle(config.pathStyle())
                // Servers other than AWS refuse the trailing checksums that the SDK would add by itself.
                .requestChecksumCalculation(config.isAws() && !config.contentMd5()
                        ? RequestChecksumCalculation.WHEN_SUPPORTED
                        : RequestChecksumCalculation.WHEN_REQUIRED)
                .responseChecksumValidation(
                        config.isAws() ? ResponseChecksumValidation.WHEN_SUPPORTED : ResponseChecksumValidation.WHEN_REQUIRED)
                .crossRegionAccessEnabled(config.isAws() && config.knownRegion().isEmpty())
                // Only over plain HTTP, where bodies are signed: then in chunks, as Thanos' client does.
                .serviceConfiguration(s3 -> s3.chunkedEncodingEnabled(true)).overrideConfiguration(overrides(config));
        if (config.isPublicAws()) {
            builder.dualstackEnabled(config.dualstack());
        } else {
            builder.endpointOverride(config.url());
        }
        return builder.build();
    }

    private static Optional<S3Reads> reads(S3Config config, SdkHttpClient http, AwsCredentialsProvider credentials) {
        if (config.isAws() || config.trace() || config.encryption() instanceof S3Config.Encryption.CustomerKey) {
            return Optional.empty();
        }
        String host = config.pathStyle() ? config.host() : config.bucket() + "." + config.host();
        return Optional.of(new S3Reads(http, credentials, config.insecure(), host, config.port(),
                config.pathStyle() ? "/" + S3Reads.encoded(config.bucket()) + "/" : "/", config.knownRegion().orElse("us-east-1"),
                Clock.systemUTC()));
    }

    private static SdkHttpClient http(S3Config config, Map<String, String> env, URI endpoint) {
        S3Config.Http settings = config.http();
        ProxyConfiguration.Builder proxy = ProxyConfiguration.builder().useSystemPropertyValues(false).useEnvironmentVariableValues(false);
        Optional<URI> through = ProxySettings.proxyFor(env, endpoint);
        through.ifPresent(uri -> {
            proxy.endpoint(URI.create(uri.getScheme() + "://" + uri.getHost() + ":"
                    + (uri.getPort() < 0 ? uri.getScheme().equals("https") ? 443 : 80 : uri.getPort())));
            String user = uri.getUserInfo();
            if (user != null) {
                int colon = user.indexOf(':');
                proxy.username(colon < 0 ? user : user.substring(0, colon)).password(colon < 0 ? "" : user.substring(colon + 1))
                        .preemptiveBasicAuthenticationEnabled(true);
            }
        });
        Apache5HttpClient.Builder builder = Apache5HttpClient.builder().maxConnections(settings.connections())
                .connectionAcquisitionTimeout(Duration.ofMinutes(2)).connectionTimeout(orForever(settings.connectTimeout()))
                .socketTimeout(orForever(settings.responseTimeout())).connectionMaxIdleTime(orForever(settings.idleTimeout()))
                .expectContinueEnabled(false)
                .tcpKeepAlive(true).proxyConfiguration(proxy.build());
        if (!settings.certFile().isEmpty()) {
            var identity = TlsFiles.identity(settings.certFile(), settings.keyFile());
            builder.tlsKeyManagersProvider(() -> identity);
        }
        AttributeMap.Builder defaults = AttributeMap.builder();
        boolean tls = isTls(endpoint) || through.filter(S3Clients::isTls).isPresent();
        if (!tls && settings.caFile().isEmpty()) {
            // Nobody is asked for a certificate: to read hundreds of authorities would be a good part of a start.
            builder.tlsTrustManagersProvider(() -> NOBODY);
        } else if (settings.verify()) {
            TlsFiles.trust(settings.caFile(), env).ifPresent(trust -> builder.tlsTrustManagersProvider(() -> trust));
        } else {
            defaults.put(SdkHttpConfigurationOption.TRUST_ALL_CERTIFICATES, true);
        }
        return builder.buildWithDefaults(defaults.build());
    }

    private static boolean isTls(URI uri) {
        return "https".equalsIgnoreCase(uri.getScheme());
    }

    /** Zero means no bound in Thanos' configuration; the client wants a number. */
    private static Duration orForever(Duration d) {
        return d.isZero() ? Duration.ofDays(1) : d;
    }

    private static ClientOverrideConfiguration overrides(S3Config config) {
        int retries = config.maxRetries() == 0 ? DEFAULT_RETRIES : config.maxRetries();
        ClientOverrideConfiguration.Builder builder = ClientOverrideConfiguration.builder()
                // The standard strategy: jittered back-off, and a token bucket that ends retries while the store is down.
                .retryStrategy(AwsRetryStrategy.standardRetryStrategy().toBuilder().maxAttempts(retries + 1).build());
        if (config.trace()) {
            builder.addExecutionInterceptor(new Tracer());
        }
        return builder.build();
    }

    private static AwsCredentialsProvider credentials(S3Config config, Map<String, String> env, List<AutoCloseable> resources) {
        if (!config.accessKey().isEmpty()) {
            return StaticCredentialsProvider.create(config.sessionToken().isEmpty()
                    ? AwsBasicCredentials.create(config.accessKey(), config.secretKey())
                    : AwsSessionCredentials.create(config.accessKey(), config.secretKey(), config.sessionToken()));
        }
        if (config.sdkAuth()) {
            DefaultCredentialsProvider provider = DefaultCredentialsProvider.builder().build();
            resources.add(provider);
            return provider;
        }
        AwsCredentialsProviderChain.Builder chain = AwsCredentialsProviderChain.builder().reuseLastProviderEnabled(true)
                .addCredentialsProvider(EnvironmentVariableCredentialsProvider.create())
                .addCredentialsProvider(ProfileCredentialsProvider.create());
        String tokenFile = env.getOrDefault("AWS_WEB_IDENTITY_TOKEN_FILE", "");
        String role = env.getOrDefault("AWS_ROLE_ARN", "");
        if (!tokenFile.isEmpty() && !role.isEmpty()) {
            StsClient sts = sts(config, env, resources);
            chain.addCredentialsProvider(StsWebIdentityTokenFileCredentialsProvider.builder().stsClient(sts).roleArn(role)
                    .roleSessionName(env.getOrDefault("AWS_ROLE_SESSION_NAME", "varve-" + ProcessHandle.current().pid()))
                    .webIdentityTokenFile(Path.of(tokenFile))
                    .build());
        }
        AwsCredentialsProviderChain provider = chain.addCredentialsProvider(ContainerCredentialsProvider.builder().build())
                .addCredentialsProvider(InstanceProfileCredentialsProvider.create()).build();
        resources.add(provider);
        return provider;
    }

    private static StsClient sts(S3Config config, Map<String, String> env, List<AutoCloseable> resources) {
        Region region = Region.of(config.knownRegion().or(() -> java.util.Optional.ofNullable(env.get("AWS_REGION")))
                .or(() -> java.util.Optional.ofNullable(env.get("AWS_DEFAULT_REGION"))).orElse("us-east-1"));
        URI endpoint = URI.create(config.stsEndpoint().isEmpty() ? "https://sts." + region.id() + ".amazonaws.com" : config.stsEndpoint());
        SdkHttpClient http = http(config, env, endpoint);
        resources.add(http);
        StsClientBuilder builder = StsClient.builder().httpClient(http).region(region)
                .credentialsProvider(software.amazon.awssdk.auth.credentials.AnonymousCredentialsProvider.create());
        if (!config.stsEndpoint().isEmpty()) {
            builder.endpointOverride(endpoint);
        }
        StsClient sts = builder.build();
        resources.add(sts);
        return sts;
    }

    /** {@code trace.enable}: one line per exchange, without headers, so without secrets. */
    private static final class Tracer implements ExecutionInterceptor {
        @Override
        public void beforeTransmission(Context.BeforeTransmission context, ExecutionAttributes attributes) {
            attributes.putAttribute(STARTED, System.nanoTime());
            LOG.info("S3 request method={} path={} query={}", context.httpRequest().method(), context.httpRequest().encodedPath(),
                    context.httpRequest().encodedQueryParameters().orElse(""));
        }

        @Override
        public void afterTransmission(Context.AfterTransmission context, ExecutionAttributes attributes) {
            Long started = attributes.getAttribute(STARTED);
            LOG.info("S3 response method={} path={} status={} millis={}", context.httpRequest().method(),
                    context.httpRequest().encodedPath(),
                    context.httpResponse().statusCode(), started == null ? -1 : (System.nanoTime() - started) / 1_000_000);
        }
    }
}
