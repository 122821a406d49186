package io.varve.store;

import io.varve.model.Labels;
import io.varve.model.XxHash64;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Tells which series belong to a shard: by xxHash64 over name 0xFF value 0xFF of each label that counts, modulo the number of shards, as Thanos
 * does. Where there are no shards every series does. One thread.
 */
public final class ShardFilter {
    private static final byte SEPARATOR = (byte) 0xFF;

    private final ShardInfo shard;
    private final byte[][] names;
    private byte[] hashed = new byte[256];

    /** Of a shard. */
    public ShardFilter(ShardInfo shard) {
        this.shard = shard;
        this.names = shard.labels().stream().map(n -> n.getBytes(StandardCharsets.UTF_8)).toArray(byte[][]::new);
    }

    /** Whether a series belongs to the shard. */
    public boolean takes(EncodedLabels labels) {
        if (shard.total() < 1) {
            return true;
        }
        // Two separators take no more than the tags and lengths they stand for.
        if (hashed.length < labels.length()) {
            hashed = new byte[2 * labels.length()];
        }
        int n = 0;
        EncodedLabels.Walk walk = new EncodedLabels.Walk(labels);
        while (walk.next()) {
            if (isNamed(walk) == shard.by()) {
                n = append(walk.array(), walk.nameAt(), walk.nameLength(), n);
                n = append(walk.array(), walk.valueAt(), walk.valueLength(), n);
            }
        }
        return Long.remainderUnsigned(XxHash64.hash(hashed, 0, n), shard.total()) == shard.index();
    }

    /** The same of labels that are there as texts. */
    public boolean takes(Labels labels) {
        return shard.total() < 1 || takes(EncodedLabels.of(labels));
    }

    private boolean isNamed(EncodedLabels.Walk walk) {
        for (byte[] name : names) {
            if (Arrays.equals(walk.array(), walk.nameAt(), walk.nameAt() + walk.nameLength(), name, 0, name.length)) {
                return true;
            }
        }
        return false;
    }

    private int append(byte[] from, int at, int length, int to) {
        System.arraycopy(from, at, hashed, to, length);
        hashed[to + length] = SEPARATOR;
        return to + length + 1;
    }
}
