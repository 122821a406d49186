package io.varve.objstore;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.varve.model.CancelledException;
import io.varve.model.UnavailableException;
import io.varve.model.Utf8Order;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.awscore.AwsRequestOverrideConfiguration;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.core.exception.AbortedException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.CreateMultipartUploadRequest;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectRequest;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;
import software.amazon.awssdk.services.s3.model.ServerSideEncryption;
import software.amazon.awssdk.services.s3.model.UploadPartRequest;
import software.amazon.awssdk.services.s3.model.UploadPartResponse;

/**
 * A bucket of S3 or of a server that speaks its protocol, through the AWS SDK's blocking client; meant for virtual threads.
 *
 * <p>
 * Requests are retried by the client with a token bucket as budget. A stream whose connection breaks goes on at the same byte with a new
 * request, as long as the object is still the same (by its ETag). Objects above the part size are uploaded in parts, a few at a time;
 * a failed upload is aborted, so that no parts stay behind.
 */
final class S3Bucket implements Bucket {
    private static final Logger LOG = LoggerFactory.getLogger(S3Bucket.class);
    private static final int PARTS_AT_A_TIME = 4;
    /** How often one stream is taken up again after it broke. */
    private static final int RESUMPTIONS = 5;
    /** What is left of a stream at its end is read when it is less than this (the connection can be used again), else dropped. */
    private static final int DRAIN_BYTES = 1 << 16;
    /** A page of a listing that names at least so many directories is one of a directory with many below it. */
    private static final int MANY_DIRECTORIES = 16;
    /** Of the 1,000 keys of a page: what a run of directories should have, so that it mostly needs one page. */
    private static final int FULL_PAGE = 950;
    private static final int LISTINGS_AT_A_TIME = 8;
    private static final Set<String> HTTP_HEADERS = Set.of("content-type", "cache-control", "content-encoding", "content-disposition",
            "content-language",
            "expires");

    private final S3Config config;
    private final S3Clients.Client client;
    private final Optional<S3Reads> reads;
    private final List<AutoCloseable> resources;
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final Map<String, String> uploadHeaders = new LinkedHashMap<>();

    S3Bucket(S3Config config, S3Clients.Client client) {
        this.config = config;
        this.client = client;
        this.reads = client.reads();
        this.resources = client.resources();
        config.userMetadata().forEach((name, value) -> {
            String lower = name.toLowerCase(Locale.ROOT);
            if (lower.startsWith("x-amz-meta-")) {
                metadata.put(name.substring("x-amz-meta-".length()), value);
            } else if (lower.startsWith("x-amz-") || HTTP_HEADERS.contains(lower)) {
                uploadHeaders.put(name, value);
            } else {
                metadata.put(name, value);
            }
        });
    }

    private S3Client s3() {
        return client.s3().get();
    }

    @Override
    public InputStream open(String key) throws NoSuchObjectException {
        ResponseInputStream<GetObjectResponse> in = get("open", key, null, null);
        return new ResumingStream(key, in);
    }

    private ResponseInputStream<GetObjectResponse> get(String operation, String key, @Nullable String range, @Nullable String etag)
            throws NoSuchObjectException {
        ResponseInputStream<GetObjectResponse> direct = reads.isPresent() ? reads.get().get(Keys.object(key), range, etag) : null;
        if (direct != null) {
            return direct;
        }
        GetObjectRequest.Builder request = GetObjectRequest.builder().bucket(config.bucket()).key(Keys.object(key)).range(range)
                .ifMatch(etag);
        if (config.encryption() instanceof S3Config.Encryption.CustomerKey(byte[] secret)) {
            request.sseCustomerAlgorithm("AES256").sseCustomerKey(base64(secret)).sseCustomerKeyMD5(base64(md5().digest(secret)));
        }
        try {
            return s3().getObject(request.build());
        } catch (RuntimeException e) {
            throw absentOrFailed(operation, key, e);
        }
    }

    @Override
    public byte[] readRange(String key, long offset, int length) throws NoSuchObjectException {
        Ranges.check(key, offset, length);
        if (length == 0) {
            if (find(key).isEmpty()) {
                throw new NoSuchObjectException(key);
            }
            return new byte[0];
        }
        UnavailableException last = new UnavailableException("read " + key);
        for (int attempt = 0; attempt <= RESUMPTIONS; attempt++) {
            try (ResponseInputStream<GetObjectResponse> in = get("read", key, "bytes=" + offset + "-" + (offset + length - 1), null)) {
                long size = in.response().contentLength();
                String range = in.response().contentRange();
                if (size > length || (range == null ? offset > 0 : !range.startsWith("bytes " + offset + "-"))) {
                    in.abort();
                    throw new UnavailableException(
                            "read " + key + " in " + name() + ": asked for " + length + " bytes from " + offset + ", server sends "
                                    + size + " (" + (range == null ? "no range: it does not support range reads" : range) + ")");
                }
                byte[] bytes = in.readNBytes((int) size);
                if (bytes.length == size) {
                    return bytes;
                }
                last = new UnavailableException("read " + key + " in " + name() + ": got " + bytes.length + " bytes of " + size);
            } catch (UnsatisfiableRange e) {
                return new byte[0];
            } catch (IOException e) {
                last = broken("read", key, e);
            }
        }
        throw last;
    }

    private UnavailableException broken(String operation, String key, IOException e) {
        if (Thread.currentThread().isInterrupted()) {
            throw new CancelledException(CancelledException.Reason.CANCELED, operation + " " + key + " in " + name() + ": interrupted");
        }
        return new UnavailableException(operation + " " + key + " in " + name() + ": " + e.getMessage(), e);
    }

    @Override
    public Optional<ObjectAttributes> find(String key) {
        HeadObjectRequest.Builder request = HeadObjectRequest.builder().bucket(config.bucket()).key(Keys.object(key));
        if (config.encryption() instanceof S3Config.Encryption.CustomerKey(byte[] secret)) {
            request.sseCustomerAlgorithm("AES256").sseCustomerKey(base64(secret)).sseCustomerKeyMD5(base64(md5().digest(secret)));
        }
        try {
            HeadObjectResponse head = s3().headObject(request.build());
            if (head.contentLength() == null) {
                throw new UnavailableException("find " + key + " in " + name() + ": the server does not tell the object's size");
            }
            return Optional.of(
                    new ObjectAttributes(key, head.contentLength(), head.lastModified() == null ? 0 : head.lastModified().toEpochMilli()));
        } catch (RuntimeException e) {
            try {
                throw absentOrFailed("find", key, e);
            } catch (NoSuchObjectException absent) {
                return Optional.empty();
            }
        }
    }

    @Override
    public void list(String prefix, Consumer<String> keys) {
        String dir = prefix.isEmpty() ? "" : Keys.prefix(prefix) + "/";
        pages(dir, "/", page -> {
            TreeSet<String> names = new TreeSet<>(Utf8Order::compare);
            page.objects().forEach(o -> names.add(o.key()));
            names.addAll(page.directories());
            names.forEach(keys);
        });
    }

    @Override
    public void listRecursive(String prefix, List<String> cuts, Consumer<ObjectAttributes> each) {
        String dir = prefix.isEmpty() ? "" : Keys.prefix(prefix) + "/";
        if (config.listV1()) {
            pages(dir, null, page -> page.objects().forEach(each));
            return;
        }
        try {
            listOn(dir, cuts.isEmpty() ? pageV2(dir, null, null, null) : listCut(dir, cuts, each), each);
        } catch (SdkException e) {
            throw failed("list", dir, e);
        }
    }

    /** Lists up to the last cut; the page behind it is the answer, asked for beside the rest: what is new mostly comes last, and may be much. */
    private S3Page listCut(String dir, List<String> cuts, Consumer<ObjectAttributes> each) {
        try (Listings listings = new Listings(dir, each)) {
            Future<S3Page> tail = listings.threads.submit(() -> from(pageV2(dir, null, null, before(cuts.getLast())), cuts.getLast()));
            String from = dir;
            for (String cut : cuts) {
                String prefix = covering(from, cut);
                listings.add(new Run(prefix, from.equals(prefix) ? "" : before(from), from, cut));
                from = cut;
            }
            listings.handOut();
            return listings.got(tail);
        }
    }

    private static S3Page from(S3Page page, String key) {
        return new S3Page(page.objects().stream().filter(o -> Utf8Order.compare(o.key(), key) >= 0).toList(), page.directories(),
                page.truncated(), page.next());
    }

    /** A page and all that follow it. */
    private void listOn(String dir, S3Page first, Consumer<ObjectAttributes> each) {
        S3Page page = first;
        page.objects().forEach(each);
        if (page.next() == null) {
            return;
        }
        long names = page.objects().stream().map(o -> child(dir, o.key())).distinct().count();
        if (names >= MANY_DIRECTORIES) {
            listWide(dir, page.objects(), Math.max(1, (int) (names * FULL_PAGE / page.objects().size())), each);
            return;
        }
        while (page.next() != null) {
            page = pageV2(dir, null, page.next(), null);
            page.objects().forEach(each);
        }
    }

    /** An object named like a directory marks it, in the way of S3's web console; such are left out. */
    private static List<ObjectAttributes> objects(List<S3Object> objects) {
        List<ObjectAttributes> out = new ArrayList<>(objects.size());
        for (S3Object object : objects) {
            if (!object.key().endsWith("/")) {
                out.add(new ObjectAttributes(object.key(), object.size(),
                        object.lastModified() == null ? 0 : object.lastModified().toEpochMilli()));
            }
        }
        return out;
    }

    /** What of a key lies directly below a directory: an object, or a directory with its slash. */
    private static String child(String dir, String key) {
        int slash = key.indexOf('/', dir.length());
        return slash < 0 ? key : key.substring(0, slash + 1);
    }

    /**
     * The rest of a directory with many below it, after its first page: pages follow one another only by their tokens, so the directories are
     * listed by name, which is short, and runs of them that fill about a page each are listed side by side. Objects still go out in order.
     */
    private void listWide(String dir, List<ObjectAttributes> before, int run, Consumer<ObjectAttributes> each) {
        String last = child(dir, before.getLast().key());
        try (Listings listings = new Listings(dir, each)) {
            listings.add(run(last, last, before.getLast().key()));
            List<String> names = new ArrayList<>();
            String token = null;
            do {
                S3Page page = pageV2(dir, "/", token, token == null ? last : null);
                TreeSet<String> found = new TreeSet<>(Utf8Order::compare);
                page.objects().forEach(o -> found.add(o.key()));
                found.addAll(page.directories());
                // Servers differ in whether the directory that holds the start is named.
                names.addAll(found.tailSet(last, false));
                token = page.next();
                while (names.size() >= run || token == null && !names.isEmpty()) {
                    List<String> some = names.subList(0, Math.min(run, names.size()));
                    listings.add(run(some.getFirst(), some.getLast(), before(some.getFirst())));
                    some.clear();
                }
            } while (token != null);
            listings.handOut();
        }
    }

    /** Runs of a listing that are read side by side and handed out in their order. One thread. */
    private final class Listings implements AutoCloseable {
        private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        private final ArrayDeque<Future<List<ObjectAttributes>>> running = new ArrayDeque<>();
        private final String dir;
        private final Consumer<ObjectAttributes> each;

        Listings(String dir, Consumer<ObjectAttributes> each) {
            this.dir = dir;
            this.each = each;
        }

        /** Begins to read a run; while too many are read, waits for the first of them. */
        void add(Run run) {
            if (running.size() >= LISTINGS_AT_A_TIME) {
                got(running.removeFirst()).forEach(each);
            }
            running.add(threads.submit(() -> listRun(run)));
        }

        /** Hands out what is left. */
        void handOut() {
            while (!running.isEmpty()) {
                got(running.removeFirst()).forEach(each);
            }
        }

        <T> T got(Future<T> read) {
            try {
                return read.get();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CancelledException(CancelledException.Reason.CANCELED, "list " + dir + " in " + name() + ": interrupted");
            } catch (ExecutionException e) {
                if (e.getCause() instanceof RuntimeException cause) {
                    throw cause;
                }
                throw new IllegalStateException(e);
            }
        }

        /** Whatever still runs after a failure ends. */
        @Override
        public void close() {
            threads.shutdownNow();
            threads.close();
        }
    }

    /**
     * A part of a listing.
     *
     * @param prefix what all keys of it begin with: a server need not look further
     * @param after the key after which it begins, empty for none
     * @param from the least key
     * @param to the least key that is beyond it
     */
    private record Run(String prefix, String after, String from, String to) {
    }

    /** Consecutive names below a directory, the last included. */
    private static Run run(String first, String last, String after) {
        // '0' follows '/'.
        String to = last.endsWith("/") ? last.substring(0, last.length() - 1) + '0' : last + '\0';
        return new Run(common(first, last), after, first, to);
    }

    /**
     * A key to begin after so that the one given comes, too, and little before it: a directory's own is no object; below another lies the one
     * that ends a character earlier.
     */
    private static String before(String key) {
        if (key.endsWith("/")) {
            return key;
        }
        int last = key.length() - 1;
        char c = key.charAt(last);
        return c > '!' && c <= '~'
                ? key.substring(0, last) + (char) (c - 1) + '~'
                : key.substring(0, key.offsetByCodePoints(key.length(), -1));
    }

    /** What all keys from {@code from} on begin with that come before {@code to}: a server need not look further. */
    private static String covering(String from, String to) {
        String both = common(from, to);
        int n = both.length();
        // Whatever lies between "a5x" and "a6" begins with "a5".
        return n + 1 == to.length() && n < from.length() && from.charAt(n) < '~' && from.charAt(n) + 1 == to.charAt(n)
                ? from.substring(0, n + 1)
                : both;
    }

    /** What two keys, and with them all that lie between, begin with. */
    private static String common(String first, String last) {
        int n = 0;
        while (n < Math.min(first.length(), last.length()) && first.charAt(n) == last.charAt(n)) {
            n++;
        }
        return first.substring(0, n > 0 && Character.isHighSurrogate(first.charAt(n - 1)) ? n - 1 : n);
    }

    private List<ObjectAttributes> listRun(Run run) {
        List<ObjectAttributes> out = new ArrayList<>();
        String token = null;
        do {
            S3Page page = pageV2(run.prefix, null, token, token == null && !run.after.isEmpty() ? run.after : null);
            for (ObjectAttributes o : page.objects()) {
                if (Utf8Order.compare(o.key(), run.to) >= 0) {
                    return out;
                }
                // What lies between "a" and "a-b" may come twice otherwise.
                if (Utf8Order.compare(o.key(), run.from) >= 0) {
                    out.add(o);
                }
            }
            token = page.next();
        } while (token != null);
        return out;
    }

    private void pages(String dir, @Nullable String delimiter, Consumer<S3Page> each) {
        try {
            S3Page page = null;
            do {
                String next = page == null ? null : page.next();
                page = config.listV1() ? pageV1(dir, delimiter, next) : pageV2(dir, delimiter, next, null);
                each.accept(page);
            } while (page.next() != null);
        } catch (SdkException e) {
            throw failed("list", dir, e);
        }
    }

    private S3Page pageV2(String prefix, @Nullable String delimiter, @Nullable String token, @Nullable String startAfter) {
        S3Page direct = reads.isPresent() ? reads.get().list(prefix, delimiter, token, startAfter) : null;
        S3Page page = direct != null ? direct : pageOfClient(prefix, delimiter, token, startAfter);
        if (page.truncated() && (page.next() == null || page.next().isEmpty() || page.next().equals(token))) {
            throw endless(prefix);
        }
        return page.truncated() ? page : new S3Page(page.objects(), page.directories(), false, null);
    }

    private UnavailableException endless(String prefix) {
        return new UnavailableException("list " + prefix + " in " + name() + ": the server says that more follows, but not where");
    }

    private S3Page pageOfClient(String prefix, @Nullable String delimiter, @Nullable String token, @Nullable String startAfter) {
        ListObjectsV2Response page = s3().listObjectsV2(list -> list.bucket(config.bucket()).prefix(prefix).delimiter(delimiter)
                .continuationToken(token).startAfter(startAfter));
        return new S3Page(objects(page.contents()), page.commonPrefixes().stream().map(p -> p.prefix()).toList(),
                Boolean.TRUE.equals(page.isTruncated()), page.nextContinuationToken());
    }

    private S3Page pageV1(String dir, @Nullable String delimiter, @Nullable String marker) {
        ListObjectsResponse response = s3().listObjects(list -> list.bucket(config.bucket()).prefix(dir).delimiter(delimiter)
                .marker(marker));
        List<String> directories = response.commonPrefixes().stream().map(p -> p.prefix()).toList();
        List<ObjectAttributes> objects = objects(response.contents());
        if (!Boolean.TRUE.equals(response.isTruncated())) {
            return new S3Page(objects, directories, false, null);
        }
        if (response.nextMarker() != null && !response.nextMarker().isEmpty()) {
            return new S3Page(objects, directories, true, response.nextMarker());
        }
        // Without a delimiter the protocol leaves the marker out: it is the last key.
        String last = response.contents().isEmpty() ? "" : response.contents().getLast().key();
        for (String directory : directories) {
            last = Utf8Order.compare(directory, last) > 0 ? directory : last;
        }
        if (last.isEmpty()) {
            throw endless(dir);
        }
        return new S3Page(objects, directories, true, last);
    }

    @Override
    public void upload(String key, ObjectBody body) {
        Keys.object(key);
        if (Thread.currentThread().isInterrupted()) {
            throw new CancelledException(CancelledException.Reason.CANCELED, "upload " + key + " to " + name() + ": interrupted");
        }
        try {
            if (config.multipart() && body.size() > config.partSizeBytes()) {
                uploadInParts(key, body);
            } else {
                put(key, body);
            }
        } catch (RuntimeException e) {
            throw failed("upload", key, e);
        } catch (IOException e) {
            throw broken("upload", key, e);
        }
    }

    private void put(String key, ObjectBody body) throws IOException {
        PutObjectRequest.Builder request = PutObjectRequest.builder().bucket(config.bucket()).key(key).metadata(metadata)
                .contentLength(body.size())
                .overrideConfiguration(uploadHeaders());
        switch (config.encryption()) {
            case S3Config.Encryption.None none -> {
            }
            case S3Config.Encryption.Managed managed -> request.serverSideEncryption(ServerSideEncryption.AES256);
            case S3Config.Encryption.Kms kms -> request.serverSideEncryption(ServerSideEncryption.AWS_KMS).ssekmsKeyId(kms.keyId())
                    .ssekmsEncryptionContext(context(kms));
            case S3Config.Encryption.CustomerKey c -> request.sseCustomerAlgorithm("AES256").sseCustomerKey(base64(c.key()))
                    .sseCustomerKeyMD5(base64(md5().digest(c.key())));
        }
        if (config.contentMd5()) {
            request.contentMD5(base64(digest(key, body, 0, body.size())));
        }
        s3().putObject(request.build(), requestBody(body, 0, body.size()));
    }

    private void uploadInParts(String key, ObjectBody body) throws IOException {
        CreateMultipartUploadRequest.Builder create = CreateMultipartUploadRequest.builder().bucket(config.bucket()).key(key)
                .metadata(metadata)
                .overrideConfiguration(uploadHeaders());
        switch (config.encryption()) {
            case S3Config.Encryption.None none -> {
            }
            case S3Config.Encryption.Managed managed -> create.serverSideEncryption(ServerSideEncryption.AES256);
            case S3Config.Encryption.Kms kms -> create.serverSideEncryption(ServerSideEncryption.AWS_KMS).ssekmsKeyId(kms.keyId())
                    .ssekmsEncryptionContext(context(kms));
            case S3Config.Encryption.CustomerKey c -> create.sseCustomerAlgorithm("AES256").sseCustomerKey(base64(c.key()))
                    .sseCustomerKeyMD5(base64(md5().digest(c.key())));
        }
        String uploadId = s3().createMultipartUpload(create.build()).uploadId();
        try {
            List<CompletedPart> parts = uploadParts(key, uploadId, body);
            s3().completeMultipartUpload(
                    complete -> complete.bucket(config.bucket()).key(key).uploadId(uploadId).multipartUpload(all -> all.parts(parts)));
        } catch (RuntimeException | IOException e) {
            abort(key, uploadId, e);
            throw e;
        }
    }

    private List<CompletedPart> uploadParts(String key, String uploadId, ObjectBody body) throws IOException {
        long partSize = config.partSizeFor(body.size());
        int count = (int) ((body.size() + partSize - 1) / partSize);
        List<CompletedPart> done = new ArrayList<>();
        List<Future<CompletedPart>> running = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            try {
                for (int number = 1; number <= count; number++) {
                    int part = number;
                    if (running.size() == PARTS_AT_A_TIME) {
                        done.add(running.removeFirst().get());
                    }
                    running.add(threads.submit(() -> uploadPart(key, uploadId, body, part, partSize)));
                }
                for (Future<CompletedPart> part : running) {
                    done.add(part.get());
                }
                return done;
            } catch (InterruptedException e) {
                threads.shutdownNow();
                Thread.currentThread().interrupt();
                throw new CancelledException(CancelledException.Reason.CANCELED, "upload " + key + " to " + name() + ": interrupted");
            } catch (ExecutionException e) {
                threads.shutdownNow();
                switch (e.getCause()) {
                    case RuntimeException cause -> throw cause;
                    case IOException cause -> throw cause;
                    case null, default -> throw new IllegalStateException(e);
                }
            }
        }
    }

    private CompletedPart uploadPart(String key, String uploadId, ObjectBody body, int number, long partSize) throws IOException {
        long offset = (number - 1) * partSize;
        long length = Math.min(partSize, body.size() - offset);
        UploadPartRequest.Builder request = UploadPartRequest.builder().bucket(config.bucket()).key(key).uploadId(uploadId)
                .partNumber(number)
                .contentLength(length);
        if (config.encryption() instanceof S3Config.Encryption.CustomerKey(byte[] secret)) {
            request.sseCustomerAlgorithm("AES256").sseCustomerKey(base64(secret)).sseCustomerKeyMD5(base64(md5().digest(secret)));
        }
        if (config.contentMd5()) {
            request.contentMD5(base64(digest(key, body, offset, length)));
        }
        UploadPartResponse response = s3().uploadPart(request.build(), requestBody(body, offset, length));
        return CompletedPart.builder().partNumber(number).eTag(response.eTag()).checksumCRC32(response.checksumCRC32()).build();
    }

    private void abort(String key, String uploadId, Exception why) {
        boolean interrupted = Thread.interrupted();
        try {
            s3().abortMultipartUpload(abort -> abort.bucket(config.bucket()).key(key).uploadId(uploadId));
        } catch (SdkException e) {
            LOG.warn(
                    "could not abort multipart upload, its parts stay in the bucket until a lifecycle rule removes them key={} upload={} err=\"{}\"",
                    key,
                    uploadId, e.getMessage());
            why.addSuppressed(e);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private AwsRequestOverrideConfiguration uploadHeaders() {
        AwsRequestOverrideConfiguration.Builder headers = AwsRequestOverrideConfiguration.builder();
        uploadHeaders.forEach(headers::putHeader);
        return headers.build();
    }

    private static String context(S3Config.Encryption.Kms kms) {
        try {
            return base64(new JsonMapper().writeValueAsString(kms.context()).getBytes(StandardCharsets.UTF_8));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private static RequestBody requestBody(ObjectBody body, long offset, long length) {
        return RequestBody.fromContentProvider(ContentStreamProvider.fromInputStreamSupplier(() -> {
            try {
                return part(body, offset, length);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }), length, "application/octet-stream");
    }

    private static InputStream part(ObjectBody body, long offset, long length) throws IOException {
        InputStream in = body.open();
        try {
            in.skipNBytes(offset);
            return new BoundedStream(in, length);
        } catch (IOException e) {
            in.close();
            throw e;
        }
    }

    private byte[] digest(String key, ObjectBody body, long offset, long length) throws IOException {
        MessageDigest md5 = md5();
        long read = 0;
        byte[] buffer = new byte[1 << 16];
        try (InputStream in = part(body, offset, length)) {
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                md5.update(buffer, 0, n);
                read += n;
            }
        }
        Ranges.checkUploaded(name(), key, length, read);
        return md5.digest();
    }

    private static MessageDigest md5() {
        try {
            return MessageDigest.getInstance("MD5");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    @Override
    public void delete(String key) {
        try {
            s3().deleteObject(delete -> delete.bucket(config.bucket()).key(Keys.object(key)));
        } catch (NoSuchKeyException e) {
            // Some servers say so instead of succeeding.
        } catch (RuntimeException e) {
            throw failed("delete", key, e);
        }
    }

    @Override
    public String name() {
        return config.bucket();
    }

    @Override
    public void close() {
        for (AutoCloseable resource : resources.reversed()) {
            try {
                resource.close();
            } catch (Exception e) {
                LOG.warn("could not close the S3 client err=\"{}\"", e.getMessage());
            }
        }
    }

    /** A range that begins at or after the object's end. */
    private static final class UnsatisfiableRange extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private RuntimeException absentOrFailed(String operation, String key, RuntimeException e) throws NoSuchObjectException {
        if (e instanceof S3Exception s3e) {
            // A HEAD has no body: its 404 tells a missing bucket and a missing key apart by the code alone, where the server sends one.
            boolean noBucket = s3e.awsErrorDetails() != null && "NoSuchBucket".equals(s3e.awsErrorDetails().errorCode());
            if (s3e.statusCode() == 404 && !noBucket) {
                throw new NoSuchObjectException(key);
            }
            if (s3e.statusCode() == 416) {
                return new UnsatisfiableRange();
            }
        }
        return failed(operation, key, e);
    }

    private RuntimeException failed(String operation, String key, RuntimeException e) {
        if (e instanceof AbortedException || e instanceof CancelledException || Thread.currentThread().isInterrupted()) {
            return new CancelledException(CancelledException.Reason.CANCELED, operation + " " + key + " in " + name() + ": interrupted");
        }
        if (e instanceof S3Exception s3e) {
            String code = s3e.awsErrorDetails() == null ? "" : s3e.awsErrorDetails().errorCode() + ": ";
            String text = s3e.awsErrorDetails() == null ? "" + s3e.getMessage() : s3e.awsErrorDetails().errorMessage();
            String denied = s3e.statusCode() == 401 || s3e.statusCode() == 403 ? "access denied: " : "";
            return new UnavailableException(
                    operation + " " + key + " in " + name() + ": " + denied + code + text + " (status " + s3e.statusCode() + ")", e);
        }
        // The client answers a body that is shorter than announced with an IllegalStateException.
        return e instanceof SdkException || e instanceof UncheckedIOException || e instanceof IllegalStateException
                ? new UnavailableException(operation + " " + key + " in " + name() + ": " + e.getMessage(), e)
                : e;
    }

    /** At most that many bytes of another stream. */
    private static final class BoundedStream extends FilterInputStream {
        private long left;

        BoundedStream(InputStream in, long length) {
            super(in);
            left = length;
        }

        @Override
        public int read() throws IOException {
            int b = left == 0 ? -1 : super.read();
            left -= b < 0 ? 0 : 1;
            return b;
        }

        @Override
        public int read(byte[] b, int off, int len) throws IOException {
            int n = left == 0 ? -1 : super.read(b, off, (int) Math.min(len, left));
            left -= Math.max(n, 0);
            return n;
        }

        @Override
        public long skip(long n) throws IOException {
            long skipped = super.skip(Math.min(n, left));
            left -= skipped;
            return skipped;
        }

        @Override
        public int available() throws IOException {
            return (int) Math.min(super.available(), left);
        }

        @Override
        public boolean markSupported() {
            return false;
        }
    }

    /** A whole object; goes on with a new request where the connection broke. */
    private final class ResumingStream extends InputStream {
        private final String key;
        private final long size;
        private final @Nullable String etag;
        private ResponseInputStream<GetObjectResponse> in;
        private long position;
        private int resumptions;

        ResumingStream(String key, ResponseInputStream<GetObjectResponse> in) {
            this.key = key;
            this.in = in;
            this.size = in.response().contentLength();
            this.etag = in.response().eTag();
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            int n = read(one, 0, 1);
            return n < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] b, int off, int len) throws IOException {
            if (len == 0) {
                return 0;
            }
            while (true) {
                if (position == size) {
                    return -1;
                }
                IOException cause;
                try {
                    int n = in.read(b, off, len);
                    if (n > 0) {
                        position += n;
                        return n;
                    }
                    cause = new IOException("got " + position + " bytes of " + size);
                } catch (IOException e) {
                    cause = e;
                }
                resume(cause);
            }
        }

        private void resume(IOException cause) throws IOException {
            in.abort();
            if (Thread.currentThread().isInterrupted() || resumptions++ == RESUMPTIONS) {
                throw new IOException("read " + key + " in " + S3Bucket.this.name() + ": " + cause.getMessage(), cause);
            }
            try {
                in = get("read", key, "bytes=" + position + "-", etag);
            } catch (NoSuchObjectException | RuntimeException e) {
                cause.addSuppressed(e);
                throw new IOException("read " + key + " in " + S3Bucket.this.name() + " from byte " + position + ": " + e.getMessage(),
                        cause);
            }
        }

        @Override
        public void close() throws IOException {
            if (size - position > DRAIN_BYTES) {
                in.abort();
            }
            in.close();
        }
    }
}
