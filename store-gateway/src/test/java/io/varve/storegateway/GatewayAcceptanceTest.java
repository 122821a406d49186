package io.varve.storegateway;

import io.varve.chunk.Chunk;
import io.varve.model.Labels;
import io.varve.objstore.MemoryBucket;
import io.varve.store.StoreAcceptance;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Ulid;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;

/** The table of the StoreAPI against blocks in a bucket, two for each source. */
class GatewayAcceptanceTest extends StoreAcceptance {
    @Override
    protected Opened open(List<Source> sources) {
        MemoryBucket bucket = new MemoryBucket("acceptance");
        TestBlocks blocks = new TestBlocks(bucket);
        Random random = new Random(1);
        for (Source s : sources) {
            // The first hour in a block of its own.
            long middle = START + 240 * STEP;
            TreeMap<Labels, List<Chunk>> early = new TreeMap<>();
            TreeMap<Labels, List<Chunk>> late = new TreeMap<>();
            for (Content c : s.series()) {
                for (Chunk chunk : c.chunks()) {
                    (chunk.minTime() < middle ? early : late).computeIfAbsent(c.labels(), l -> new java.util.ArrayList<>()).add(chunk);
                }
            }
            blocks.put(Ulid.of(START, random), s.external(), START, middle, early, BlockWriter.SEGMENT_BYTES, true);
            if (!late.isEmpty()) {
                blocks.put(Ulid.of(START, random), s.external(), middle, START + 480 * STEP, late, BlockWriter.SEGMENT_BYTES, false);
            }
        }
        TestGateway gateway = new TestGateway(bucket, TestGateway.Setup.DEFAULT);
        return new Opened(gateway.store, gateway);
    }

    @Override
    protected boolean manySources() {
        return true;
    }
}
