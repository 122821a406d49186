package io.varve.sidecar;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.chunk.Chunk;
import io.varve.model.Labels;
import io.varve.runtime.ProcessRunner;
import io.varve.runtime.grpc.Channels;
import io.varve.store.GrpcStoreClient;
import io.varve.store.StoreAcceptance;
import io.varve.testkit.TempTree;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Ulid;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/** The table of the StoreAPI against the sidecar before a real Prometheus whose data directory holds a block. */
class SidecarAcceptanceTest extends StoreAcceptance {
    @Override
    protected boolean manySources() {
        return false;
    }

    @Override
    protected boolean dropsInnerLabelsWithoutChunks() {
        return false;
    }

    private static Path prometheus() {
        return Stream.of(System.getenv().getOrDefault("PATH", "").split(":")).map(d -> Path.of(d, "prometheus")).filter(Files::isExecutable)
                .findFirst().orElseGet(() -> {
                    System.out.println("SKIPPED SidecarAcceptanceTest: no prometheus on the PATH");
                    return Assumptions.abort("no prometheus on the PATH");
                });
    }

    @Override
    protected Opened open(List<Source> sources) throws Exception {
        Path binary = prometheus();
        Source source = sources.getFirst();
        TempTree tree = TempTree.create();
        Path data = Files.createDirectories(tree.resolve("data"));
        Ulid id = Ulid.of(START, new Random(1));
        try (BlockWriter w = BlockWriter.create(data, id, BlockWriter.SEGMENT_BYTES)) {
            TreeMap<Labels, List<Chunk>> series = new TreeMap<>();
            source.series().forEach(c -> series.put(c.labels(), c.chunks()));
            series.forEach(w::add);
            w.commit(stats -> new BlockMeta(id, START, START + 7_200_000, stats, BlockMeta.Compaction.fresh(id)));
        }
        Path config = tree.resolve("prometheus.yml");
        Files.writeString(config, "global:\n  external_labels: {region: " + source.external().get("region") + ", replica: "
                + source.external().get("replica") + "}\n");
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        Process process = new ProcessBuilder(binary.toString(), "--config.file=" + config, "--storage.tsdb.path=" + data,
                "--web.listen-address=127.0.0.1:" + port, "--storage.tsdb.retention.time=100y", "--storage.tsdb.min-block-duration=2h",
                "--storage.tsdb.max-block-duration=2h", "--log.level=warn").redirectErrorStream(true)
                .redirectOutput(tree.resolve("prometheus.log").toFile()).start();
        Channels channels = new Channels(new PrometheusRegistry(), Channels.Compression.SNAPPY);
        ProcessRunner.Running running;
        GrpcStoreClient client;
        try {
            running = ProcessRunner.launch(new SidecarCommand(), "--prometheus.url=http://127.0.0.1:" + port, "--http-address=127.0.0.1:0",
                    "--grpc-address=127.0.0.1:0", "--http-grace-period=1s", "--grpc-grace-period=1s", "--prometheus.ready_timeout=1m");
            CountDownLatch ready = new CountDownLatch(1);
            running.context().probes().onReadyChange(r -> {
                if (r) {
                    ready.countDown();
                }
            });
            if (!ready.await(60, TimeUnit.SECONDS)) {
                throw new IllegalStateException("not ready: " + Files.readString(tree.resolve("prometheus.log")));
            }
            client = new GrpcStoreClient(channels.open(running.context().grpcAddress()), "sidecar");
        } catch (Exception e) {
            process.destroyForcibly();
            channels.close();
            throw e;
        }
        return new Opened(remote(client), () -> {
            client.close();
            channels.close();
            running.close();
            process.destroy();
            process.waitFor();
            tree.close();
        });
    }
}
