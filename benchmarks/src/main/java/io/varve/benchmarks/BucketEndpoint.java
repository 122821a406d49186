package io.varve.benchmarks;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;

/**
 * A directory as a bucket that is far away: the reading half of S3's protocol (GET with a range, HEAD, ListObjectsV2), every answer a fixed time
 * late, requests counted. Nothing is signed or kept private: it listens on the loopback address.
 */
final class BucketEndpoint implements AutoCloseable {
    /** The bucket's name. */
    static final String BUCKET = "bucket";
    private static final int PAGE = 1000;

    private final Path directory;
    private final long latencyMillis;
    private final HttpServer server;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final LongAdder gets = new LongAdder();
    private final LongAdder others = new LongAdder();
    private final LongAdder bytes = new LongAdder();

    /** What was asked so far: GETs of objects, other requests, bytes of objects. */
    record Counts(long gets, long others, long bytes) {
        Counts since(Counts before) {
            return new Counts(gets - before.gets, others - before.others, bytes - before.bytes);
        }
    }

    BucketEndpoint(Path directory, long latencyMillis) throws IOException {
        // Headers and body are two writes: without this the second waits for the first to be acknowledged.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        this.directory = directory;
        this.latencyMillis = latencyMillis;
        this.server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/", this::answer);
        server.start();
    }

    /** The configuration that reads it. */
    String yaml() {
        return """
                type: S3
                config:
                  bucket: %s
                  endpoint: 127.0.0.1:%d
                  region: us-east-1
                  insecure: true
                  access_key: none
                  secret_key: none
                  bucket_lookup_type: path
                """.formatted(BUCKET, server.getAddress().getPort());
    }

    Counts counts() {
        return new Counts(gets.sum(), others.sum(), bytes.sum());
    }

    @Override
    public void close() {
        server.stop(0);
        threads.close();
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            TimeUnit.MILLISECONDS.sleep(latencyMillis);
            String path = exchange.getRequestURI().getPath();
            String key = path.substring(Math.min(path.length(), BUCKET.length() + 2));
            if (key.isEmpty()) {
                others.increment();
                list(exchange);
            } else {
                object(exchange, directory.resolve(key));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void object(HttpExchange exchange, Path file) throws IOException {
        boolean isGet = exchange.getRequestMethod().equals("GET");
        (isGet ? gets : others).increment();
        if (!Files.isRegularFile(file)) {
            send(exchange, 404, "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>");
            return;
        }
        long size = Files.size(file);
        exchange.getResponseHeaders().set("ETag", "\"" + Long.toHexString(size) + "\"");
        exchange.getResponseHeaders().set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT");
        if (!isGet) {
            exchange.getResponseHeaders().set("Content-Length", Long.toString(size));
            exchange.sendResponseHeaders(200, -1);
            return;
        }
        long from = 0;
        long to = size - 1;
        String range = exchange.getRequestHeaders().getFirst("Range");
        if (range != null) {
            String[] ends = range.substring("bytes=".length()).split("-", 2);
            from = Long.parseLong(ends[0]);
            to = ends[1].isEmpty() ? to : Math.min(to, Long.parseLong(ends[1]));
            exchange.getResponseHeaders().set("Content-Range", "bytes " + from + "-" + to + "/" + size);
        }
        long left = to - from + 1;
        bytes.add(left);
        exchange.sendResponseHeaders(range == null ? 200 : 206, left == 0 ? -1 : left);
        byte[] buffer = new byte[(int) Math.min(1 << 16, Math.max(1, left))];
        try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r"); OutputStream out = exchange.getResponseBody()) {
            in.seek(from);
            while (left > 0) {
                int n = in.read(buffer, 0, (int) Math.min(buffer.length, left));
                out.write(buffer, 0, n);
                left -= n;
            }
        }
    }

    private void list(HttpExchange exchange) throws IOException {
        Map<String, String> parameters = new HashMap<>();
        String query = exchange.getRequestURI().getRawQuery();
        for (String pair : query == null ? new String[0] : query.split("&")) {
            String[] parts = pair.split("=", 2);
            parameters.put(parts[0], parts.length == 1 ? "" : URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
        }
        String prefix = parameters.getOrDefault("prefix", "");
        String delimiter = parameters.getOrDefault("delimiter", "");
        String after = parameters.getOrDefault("continuation-token", parameters.getOrDefault("start-after", ""));
        List<String> keys = new ArrayList<>();
        TreeSet<String> directories = new TreeSet<>();
        String last = "";
        boolean isCut = false;
        for (String key : keys()) {
            if (!key.startsWith(prefix) || key.compareTo(after) <= 0) {
                continue;
            }
            int end = delimiter.isEmpty() ? -1 : key.indexOf(delimiter, prefix.length());
            String common = end < 0 ? "" : key.substring(0, end + 1);
            if (!common.isEmpty() && (directories.contains(common) || after.startsWith(common))) {
                last = directories.contains(common) ? key : last;
                continue;
            }
            if (keys.size() + directories.size() == PAGE) {
                isCut = true;
                break;
            }
            if (common.isEmpty()) {
                keys.add(key);
            } else {
                directories.add(common);
            }
            last = key;
        }
        StringBuilder xml = new StringBuilder("<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><Name>").append(BUCKET)
                .append("</Name><KeyCount>").append(keys.size() + directories.size()).append("</KeyCount><MaxKeys>").append(PAGE)
                .append("</MaxKeys><IsTruncated>").append(isCut).append("</IsTruncated>");
        if (isCut) {
            xml.append("<NextContinuationToken>").append(last).append("</NextContinuationToken>");
        }
        for (String key : keys) {
            xml.append("<Contents><Key>").append(key).append("</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>")
                    .append(Files.size(directory.resolve(key))).append("</Size></Contents>");
        }
        for (String d : directories) {
            xml.append("<CommonPrefixes><Prefix>").append(d).append("</Prefix></CommonPrefixes>");
        }
        send(exchange, 200, xml.append("</ListBucketResult>").toString());
    }

    private List<String> keys() throws IOException {
        try (Stream<Path> walk = Files.walk(directory)) {
            return walk.filter(Files::isRegularFile).map(f -> directory.relativize(f).toString()).sorted().toList();
        }
    }

    private static void send(HttpExchange exchange, int status, String xml) throws IOException {
        byte[] body = xml.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/xml");
        boolean isHead = exchange.getRequestMethod().equals("HEAD");
        exchange.sendResponseHeaders(status, isHead ? -1 : body.length);
        if (!isHead) {
            exchange.getResponseBody().write(body);
        }
    }
}
