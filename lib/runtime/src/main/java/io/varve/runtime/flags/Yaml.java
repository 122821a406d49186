package io.varve.runtime.flags;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;

/** Strict YAML: unknown and doubled keys are errors. Safe for many threads. */
public final class Yaml {
    private static final ObjectMapper MAPPER = new ObjectMapper(YAMLFactory.builder().disable(YAMLParser.Feature.EMPTY_STRING_AS_NULL)
            .build()).enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
            .enable(com.fasterxml.jackson.core.JsonParser.Feature.STRICT_DUPLICATE_DETECTION);

    private Yaml() {
    }

    /**
     * Reads a value of a type whose fields or record components are the allowed keys.
     *
     * @param what what is read, for the message: the flag or file
     * @throws FlagException with one line that names the place
     */
    public static <T> T read(String yaml, Class<T> type, String what) {
        try {
            T value = MAPPER.readValue(yaml, type);
            if (value == null) {
                throw new FlagException("parsing " + what + ": empty YAML");
            }
            return value;
        } catch (JsonProcessingException e) {
            throw failed(what, e);
        }
    }

    /** Reads a tree. */
    public static JsonNode readTree(String yaml, String what) {
        try {
            return MAPPER.readTree(yaml);
        } catch (JsonProcessingException e) {
            throw failed(what, e);
        }
    }

    private static FlagException failed(String what, JsonProcessingException e) {
        // For an unknown key the parser is past it already and its place would mislead.
        String place = e.getLocation() == null || e instanceof UnrecognizedPropertyException
                ? ""
                : "line " + e.getLocation().getLineNr() + ": ";
        String text = e instanceof UnrecognizedPropertyException u
                ? "field " + u.getPropertyName() + " not known"
                : e.getOriginalMessage().lines().findFirst().orElse("malformed");
        return new FlagException("parsing " + what + ": yaml: " + place + text, e);
    }
}
