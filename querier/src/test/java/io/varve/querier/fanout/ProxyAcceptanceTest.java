package io.varve.querier.fanout;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.chunk.ChunkDecoder;
import io.varve.model.SampleBuffer;
import io.varve.runtime.Dns;
import io.varve.store.StoreAcceptance;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** The table of the StoreAPI against the querier's proxy, with a store in memory for each source. */
class ProxyAcceptanceTest extends StoreAcceptance {
    @Override
    protected Opened open(List<Source> sources) throws InterruptedException {
        Map<String, MemoryStore> stores = new LinkedHashMap<>();
        for (Source s : sources) {
            MemoryStore store = new MemoryStore(s.external(), true);
            for (Content c : s.series()) {
                SampleBuffer samples = new SampleBuffer(c.count());
                c.chunks().forEach(chunk -> ChunkDecoder.decode(chunk, samples));
                store.add(c.labels(), samples);
            }
            stores.put("store-" + stores.size(), store);
        }
        List<EndpointSet.Spec> specs = new ArrayList<>();
        stores.keySet().forEach(a -> specs.add(new EndpointSet.Spec(a, false, false)));
        EndpointSet set = new EndpointSet(specs, new EndpointSet.Config(5000, 5000, 30_000, 300_000, 120_000, List.of("store_type")),
                Dns.SYSTEM,
                a -> Peer.of(Objects.requireNonNull(stores.get(a)).client(a)), l -> l, new PrometheusRegistry());
        set.awaitFirst(10_000);
        return new Opened(new Fanout(set, List.of(), 0, new PrometheusRegistry()), set);
    }

    @Override
    protected boolean manySources() {
        return true;
    }
}
