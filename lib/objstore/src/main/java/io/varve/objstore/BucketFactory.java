package io.varve.objstore;

import io.varve.model.InvalidRequestException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;

/**
 * Opens the bucket that a configuration in Thanos' YAML describes ({@code type}, {@code config}, {@code prefix},
 * {@code hedging_config}). Unknown keys are errors that name them; what Thanos has and this project has not is refused by name.
 * Nothing is asked of the store yet.
 */
public final class BucketFactory {
    private BucketFactory() {
    }

    /** As {@link #open(String, Map)} with the environment of the process. */
    public static Bucket open(String yaml) {
        return open(yaml, System.getenv());
    }

    /**
     * Opens it.
     *
     * @param yaml the configuration, with {@code $(VAR)} already replaced
     * @param env where proxies, CA files and credentials are looked up
     * @throws InvalidRequestException where the configuration is unusable; the message names the key
     */
    public static Bucket open(String yaml, Map<String, String> env) {
        StrictYaml root = StrictYaml.parse(yaml);
        String type = root.text("type", "");
        StrictYaml config = root.child("config");
        String prefix = root.text("prefix", "");
        StrictYaml hedging = root.child("hedging_config");
        boolean hedged = hedging.flag("enabled", false);
        int upTo = (int) hedging.number("up_to", 3, 1, 100);
        double quantile = hedging.fraction("quantile", 0.9);
        hedging.done();
        root.done();
        Bucket bucket = switch (type.toUpperCase(Locale.ROOT)) {
            case "FILESYSTEM" -> {
                String directory = config.text("directory", "");
                // A misspelt key is named before the one it leaves missing.
                config.done();
                if (directory.isEmpty()) {
                    throw config.refused("directory", "missing directory for filesystem bucket");
                }
                yield new FilesystemBucket(Path.of(directory));
            }
            case "S3" -> {
                S3Config s3 = S3Config.parse(config);
                config.done();
                yield new S3Bucket(s3, S3Clients.open(s3, env));
            }
            case "GCS", "AZURE", "SWIFT", "COS", "ALIYUNOSS", "BOS", "OCI", "OBS" -> throw root.refused("type",
                    type + " is refused: only S3 and FILESYSTEM are built in (many other stores can be reached by their S3-compatible endpoint)");
            case "" -> throw root.refused("type", "missing, expected S3 or FILESYSTEM");
            default -> throw root.refused("type", "bucket with type " + type + " is not supported, expected S3 or FILESYSTEM");
        };
        try {
            return PrefixedBucket.of(hedged ? new HedgedBucket(bucket, upTo, quantile) : bucket, prefix);
        } catch (InvalidRequestException e) {
            bucket.close();
            throw root.refused("prefix", e.getMessage());
        }
    }
}
