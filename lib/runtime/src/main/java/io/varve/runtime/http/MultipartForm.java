package io.varve.runtime.http;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import org.eclipse.jetty.http.MultiPart;
import org.eclipse.jetty.http.MultiPartConfig;
import org.eclipse.jetty.http.MultiPartFormData;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.util.Attributes;
import org.jspecify.annotations.Nullable;

/** The text fields of a {@code multipart/form-data} body (RFC 7578), as {@code curl -F} sends it. Files are left out. */
final class MultipartForm {
    private static final String TYPE = "multipart/form-data";
    private static final int MAX_PARTS = 1000;

    private MultipartForm() {
    }

    /** Whether a content type says that the body is such a form. */
    static boolean is(@Nullable String contentType) {
        return contentType != null && contentType.split(";", 2)[0].strip().equalsIgnoreCase(TYPE);
    }

    /** The fields in order; none where the form is broken, as Go reads it: half of a form is no form. */
    static Map<String, List<String>> read(String contentType, byte[] body) {
        // The body is in memory already, and bounded: nothing goes to disk.
        MultiPartConfig config = new MultiPartConfig.Builder().maxParts(MAX_PARTS).maxSize(-1).maxPartSize(-1).maxMemoryPartSize(-1)
                .useFilesForPartsWithoutFileName(false).build();
        try (MultiPartFormData.Parts parts = MultiPartFormData.getParts(Content.Source.from(ByteBuffer.wrap(body)), new Attributes.Mapped(),
                contentType, config)) {
            Map<String, List<String>> fields = new LinkedHashMap<>();
            for (MultiPart.Part p : parts) {
                String name = p.getName();
                if (name != null && !name.isEmpty() && (p.getFileName() == null || p.getFileName().isEmpty())) {
                    fields.computeIfAbsent(name, k -> new ArrayList<>(1)).add(p.getContentAsString(StandardCharsets.UTF_8));
                }
            }
            return fields;
        } catch (CompletionException | IllegalArgumentException e) {
            return Map.of();
        }
    }
}
