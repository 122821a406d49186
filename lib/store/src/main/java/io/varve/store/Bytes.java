package io.varve.store;

import com.google.protobuf.ExtensionRegistryLite;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import io.grpc.Drainable;
import io.grpc.KnownLength;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Messages as plain arrays: what goes out was written by hand, what comes in is read by hand. */
final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
    static final Bytes MARSHALLER = new Bytes();

    /** What a server answers with. */
    static final MethodDescriptor.Marshaller<Message> ANSWERS = new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(Message value) {
            return value;
        }

        @Override
        public Message parse(InputStream in) {
            byte[] all = MARSHALLER.parse(in);
            return new Message(all, 0, all.length);
        }
    };

    private Bytes() {
    }

    /** Reads generated messages, whole; writes them as bytes. */
    static <M extends MessageLite> M parse(Parser<M> parser, byte[] data) {
        try {
            return parser.parseFrom(data, ExtensionRegistryLite.getEmptyRegistry());
        } catch (InvalidProtocolBufferException e) {
            throw Status.INTERNAL.withDescription("cannot read the message: " + e.getMessage()).withCause(e).asRuntimeException();
        }
    }

    @Override
    public InputStream stream(byte[] value) {
        return new Message(value, 0, value.length);
    }

    @Override
    public byte[] parse(InputStream in) {
        try {
            if (in instanceof KnownLength) {
                byte[] all = new byte[in.available()];
                int n = in.readNBytes(all, 0, all.length);
                if (n < all.length) {
                    throw new IOException("message cut off at " + n + " of " + all.length + " bytes");
                }
                return all;
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw Status.INTERNAL.withDescription("cannot read the message: " + e.getMessage()).withCause(e).asRuntimeException();
        }
    }

    /** A part of an array. */
    static final class Message extends ByteArrayInputStream implements KnownLength, Drainable {
        Message(byte[] data, int offset, int length) {
            super(data, offset, length);
        }

        @Override
        public int drainTo(OutputStream target) throws IOException {
            int n = available();
            target.write(buf, pos, n);
            pos = count;
            return n;
        }
    }
}
