package io.varve.runtime.flags;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A configuration given by one of two flags: {@code --name-file} holds a path, {@code --name} the content. Both together are an error.
 *
 * @param name the content flag without dashes; the other is that name followed by {@code -file}
 * @param file what {@code --name-file} holds, null or empty if not given
 * @param content what {@code --name} holds, null or empty if not given
 */
public record PathOrContent(String name, @Nullable String file, @Nullable String content) {
    private static final long MAX_BYTES = 64 << 20;
    private static final Pattern VARIABLE = Pattern.compile("\\$\\(([a-zA-Z_0-9]+)\\)");

    /** Whether either flag was given. */
    public boolean isSet() {
        return file != null && !file.isEmpty() || content != null && !content.isEmpty();
    }

    /** Where it comes from, for messages. */
    public String origin() {
        return file != null && !file.isEmpty() ? file : "--" + name;
    }

    /**
     * The content as given, empty if neither flag was.
     *
     * @throws FlagException where both were given or the file cannot be read
     */
    public Optional<String> read() {
        if (file != null && !file.isEmpty() && content != null && !content.isEmpty()) {
            throw new FlagException("both " + name + "-file and " + name + " flags set.");
        }
        if (file != null && !file.isEmpty()) {
            try {
                Path path = Path.of(file);
                if (Files.isRegularFile(path) && Files.size(path) > MAX_BYTES) {
                    throw new FlagException("loading file " + file + " for " + name + "-file: larger than " + MAX_BYTES + " bytes");
                }
                return Optional.of(new String(Files.readAllBytes(path), StandardCharsets.UTF_8)).filter(s -> !s.isEmpty());
            } catch (java.nio.file.NoSuchFileException e) {
                throw new FlagException("loading file " + file + " for " + name + "-file: no such file", e);
            } catch (IOException | java.nio.file.InvalidPathException e) {
                throw new FlagException("loading file " + file + " for " + name + "-file: " + e, e);
            }
        }
        return content == null || content.isEmpty() ? Optional.empty() : Optional.of(content);
    }

    /** As {@link #read}, with {@code $(VAR)} replaced from the process' environment. */
    public Optional<String> readExpanded() {
        return read().map(s -> expand(s, System::getenv));
    }

    /**
     * As {@link #readExpanded}, for a configuration that must be there.
     *
     * @throws FlagException where it is not, in Thanos' words
     */
    public String require() {
        return readExpanded().orElseThrow(() -> new FlagException(
                "flag " + name + "-file or " + name + " is required for running this command and content cannot be empty."));
    }

    /**
     * Replaces each {@code $(VAR)} by the variable's value.
     *
     * @throws FlagException naming a variable that is not set
     */
    public static String expand(String text, Function<String, @Nullable String> environment) {
        Matcher m = VARIABLE.matcher(text);
        StringBuilder out = new StringBuilder();
        while (m.find()) {
            String value = environment.apply(m.group(1));
            if (value == null) {
                throw new FlagException("found reference to unset environment variable \"" + m.group(1) + "\"");
            }
            m.appendReplacement(out, Matcher.quoteReplacement(value));
        }
        return m.appendTail(out).toString();
    }
}
