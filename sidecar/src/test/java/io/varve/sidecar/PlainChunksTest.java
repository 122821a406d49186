package io.varve.sidecar;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.Encoding;
import io.varve.model.SampleBuffer;
import io.varve.store.StoreChunk;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What the sidecar makes of chunks with start timestamps. */
class PlainChunksTest {
    @Test
    void floatsWithStartTimestampsComeAsTheyWouldWithoutThem() {
        SplittableRandom random = new SplittableRandom(3);
        for (int n : new int[]{1, 2, 119, 120, 121, 1000}) {
            List<Chunk> with = new ArrayList<>();
            List<Chunk> without = new ArrayList<>();
            ChunkAppender starts = ChunkAppender.withStartTimestamps(Integer.MAX_VALUE, with::add);
            ChunkAppender plain = ChunkAppender.plain(Integer.MAX_VALUE, without::add);
            long t = 1_700_000_000_000L;
            for (int i = 0; i < n; i++) {
                t += 15_000 + random.nextInt(-20, 20);
                double v = i % 50 == 49 ? SampleBuffer.STALE_NAN : random.nextInt(3) == 0 ? random.nextDouble() : i;
                starts.append(t - 60_000, t, v);
                plain.append(t, v);
            }
            starts.cut();
            plain.cut();
            assertThat(with).extracting(Chunk::encoding).containsExactly(Encoding.XOR2);
            assertThat(PrometheusStore.wire(with)).usingRecursiveComparison()
                    .isEqualTo(without.stream().map(StoreChunk::raw).toList());
        }
    }
}
