package io.varve.runtime.grpc;

import io.airlift.compress.v3.snappy.SnappyFramedInputStream;
import io.airlift.compress.v3.snappy.SnappyFramedOutputStream;
import io.airlift.compress.v3.snappy.SnappyJavaCompressor;
import io.airlift.compress.v3.snappy.SnappyJavaDecompressor;
import io.grpc.Codec;
import io.grpc.CompressorRegistry;
import io.grpc.DecompressorRegistry;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Message compression {@code snappy} as Thanos registers it: each message is a snappy framed stream, not a raw block. */
final class SnappyCodec implements Codec {
    /** Decoders for what may arrive: identity, gzip, snappy. */
    static final DecompressorRegistry DECOMPRESSORS = DecompressorRegistry.getDefaultInstance().with(new SnappyCodec(), true);

    static CompressorRegistry compressors() {
        CompressorRegistry registry = CompressorRegistry.newEmptyInstance();
        registry.register(new Codec.Gzip());
        registry.register(Codec.Identity.NONE);
        registry.register(new SnappyCodec());
        return registry;
    }

    @Override
    public String getMessageEncoding() {
        return "snappy";
    }

    @Override
    public OutputStream compress(OutputStream out) throws IOException {
        return new SnappyFramedOutputStream(new SnappyJavaCompressor(), out);
    }

    @Override
    public InputStream decompress(InputStream in) throws IOException {
        return new SnappyFramedInputStream(new SnappyJavaDecompressor(), in, true);
    }
}
