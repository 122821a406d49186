package io.varve.tsdb;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Fields of a meta.json that this version does not know, kept so that rewriting the file loses nothing. Immutable by contract. */
public final class UnknownFields {
    /** None. */
    public static final UnknownFields NONE = new UnknownFields(Map.of());

    /** By the path of their object, "" for the root. */
    private final Map<String, Map<String, JsonNode>> byPath;

    private UnknownFields(Map<String, Map<String, JsonNode>> byPath) {
        this.byPath = byPath;
    }

    Map<String, JsonNode> at(String path) {
        return byPath.getOrDefault(path, Map.of());
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof UnknownFields u && u.byPath.equals(byPath);
    }

    @Override
    public int hashCode() {
        return byPath.hashCode();
    }

    @Override
    public String toString() {
        return byPath.toString();
    }

    /** Gathers them while a file is read. One thread. */
    static final class Collector {
        private final Map<String, Map<String, JsonNode>> byPath = new LinkedHashMap<>();

        void collect(String path, JsonNode object, Set<String> known) {
            Map<String, JsonNode> unknown = new LinkedHashMap<>();
            object.properties().forEach(e -> {
                if (!known.contains(e.getKey())) {
                    unknown.put(e.getKey(), e.getValue());
                }
            });
            if (!unknown.isEmpty()) {
                byPath.put(path, unknown);
            }
        }

        UnknownFields fields() {
            return byPath.isEmpty() ? NONE : new UnknownFields(byPath);
        }
    }
}
