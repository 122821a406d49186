package io.varve.querier.api;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.varve.model.GoFloat;
import io.varve.model.GoQuote;
import io.varve.model.InvalidRequestException;
import io.varve.model.Matcher;
import io.varve.model.PromDuration;
import io.varve.promql.parser.Expr;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.promql.parser.VectorSelector;
import io.varve.querier.fanout.StoreFilter;
import io.varve.runtime.http.HttpStatusException;
import io.varve.runtime.http.Request;
import io.varve.store.ShardInfo;
import java.time.DateTimeException;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Parameters of a request, read as Thanos reads them, with its complaints. */
final class Params {
    /** As Prometheus' smallest and largest time of the API, in milliseconds. */
    static final long MIN_TIME = Long.MIN_VALUE / 1000 + 62_135_596_801L;
    static final long MAX_TIME = Long.MAX_VALUE / 1000 - 62_135_596_801L;
    /** How Prometheus' clients write those. */
    private static final String MIN_TIME_TEXT = "-292273086-05-16T16:47:06Z";
    private static final String MAX_TIME_TEXT = "292277025-08-18T07:12:54.999999999Z";
    /** As Go takes it: hours may have one digit, and a comma may stand before fractions of any length. */
    private static final Pattern RFC_3339 = Pattern.compile(
            "(\\d{4}-\\d\\d-\\d\\d)T(\\d{1,2})(:\\d\\d:\\d\\d)(?:[.,](\\d+))?(?:Z|([+-])(\\d\\d):(\\d\\d))");
    private static final int MAX_NUMBER = 400;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Map<String, List<String>> values;

    private Params(Map<String, List<String>> values) {
        this.values = values;
    }

    /** All parameters; a malformed one is an error. */
    static Params strict(Request request) {
        try {
            return new Params(request.parameters());
        } catch (HttpStatusException e) {
            if (e.status() == 413) {
                throw e;
            }
            throw new ApiException(ApiException.Kind.BAD_DATA, "parse form: " + e.getMessage(), e);
        }
    }

    /**
     * As {@link #strict}, of the query and of a URL-encoded form alone: an endpoint whose first deed is Go's {@code ParseForm} never sees the fields of a
     * multipart form.
     */
    static Params withoutMultipart(Request request) {
        String type = request.header("Content-Type");
        if (type == null || !type.toLowerCase(Locale.ROOT).strip().startsWith("multipart/")) {
            return strict(request);
        }
        try {
            return new Params(request.queryParameters());
        } catch (HttpStatusException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, "parse form: " + e.getMessage(), e);
        }
    }

    /** Malformed parameters count as not given, as for most of Thanos' endpoints. */
    static Params lenient(Request request) {
        return new Params(request.readableParameters());
    }

    /** The first value, "" where there is none. */
    String text(String name) {
        List<String> v = values.get(name);
        return v == null ? "" : v.getFirst();
    }

    List<String> all(String name) {
        return values.getOrDefault(name, List.of());
    }

    /** Go's {@code strconv.ParseBool}. */
    static boolean parseBool(String name, String v) {
        return switch (v) {
            case "1", "t", "T", "TRUE", "true", "True" -> true;
            case "0", "f", "F", "FALSE", "false", "False" -> false;
            default -> throw ApiException.badData(
                    "'" + name + "' parameter: strconv.ParseBool: parsing " + GoQuote.quote(v) + ": invalid syntax");
        };
    }

    boolean bool(String name, boolean otherwise) {
        String v = text(name);
        return v.isEmpty() ? otherwise : parseBool(name, v);
    }

    /** Whether the query's costs are wanted; what is neither {@code true} nor {@code 1} is no, as in Thanos. */
    boolean analyze() {
        return text("analyze").equals("true") || text("analyze").equals("1");
    }

    /** Seconds as a float, or RFC 3339; in milliseconds. */
    static long parseTime(String s) {
        @Nullable
        Double d = parseFloat(s);
        if (d != null) {
            return millisOfSeconds(d);
        }
        if (s.equals(MIN_TIME_TEXT)) {
            return MIN_TIME;
        }
        if (s.equals(MAX_TIME_TEXT)) {
            return MAX_TIME;
        }
        java.util.regex.Matcher m = RFC_3339.matcher(s);
        try {
            if (m.matches()) {
                return rfc3339(m);
            }
        } catch (DateTimeException e) {
            // A day or an hour that does not exist.
        }
        throw ApiException.badData("cannot parse " + GoQuote.quote(s) + " to a valid timestamp");
    }

    private static long rfc3339(java.util.regex.Matcher m) {
        String hour = m.group(2).length() == 1 ? "0" + m.group(2) : m.group(2);
        String fraction = m.group(4) == null ? "" : m.group(4);
        long millis = Integer.parseInt((fraction + "000").substring(0, 3));
        int zone = 0;
        if (m.group(5) != null) {
            // Go lets zones be up to 24 hours and 60 minutes away.
            int hours = Integer.parseInt(m.group(6));
            int minutes = Integer.parseInt(m.group(7));
            if (hours > 24 || minutes > 60) {
                throw new DateTimeException("zone");
            }
            zone = (hours * 60 + minutes) * (m.group(5).equals("-") ? -60 : 60);
        }
        LocalDateTime local = LocalDateTime.parse(m.group(1) + "T" + hour + m.group(3));
        return (local.toEpochSecond(ZoneOffset.UTC) - zone) * 1000 + millis;
    }

    /** Go's conversion: what does not fit becomes the least second there is; then cut to what the API knows. */
    private static long millisOfSeconds(double d) {
        if (Double.isNaN(d) || Double.isInfinite(d)) {
            return MIN_TIME;
        }
        double seconds = d < 0 ? Math.ceil(d) : Math.floor(d);
        if (seconds >= 9.2e18 || seconds <= -9.2e18) {
            return MIN_TIME;
        }
        double rest = (d - seconds) * 1000;
        double millis = Math.copySign(Math.floor(Math.abs(rest) + 0.5), rest); // halves away from zero
        if (seconds > MAX_TIME / 1000.0) {
            return MAX_TIME;
        }
        if (seconds < MIN_TIME / 1000.0) {
            return MIN_TIME;
        }
        return (long) seconds * 1000 + (long) millis;
    }

    /** Null for what Go's ParseFloat refuses. */
    private static @Nullable Double parseFloat(String s) {
        if (s.isEmpty() || s.length() > MAX_NUMBER) {
            return null;
        }
        try {
            return GoFloat.parse(s);
        } catch (NumberFormatException e) {
            return null;
        }
    }

    /** Seconds as a float, or Prometheus' duration; in milliseconds. */
    static long parseDuration(String s) {
        @Nullable
        Double d = parseFloat(s);
        if (d != null) {
            double nanos = d * 1e9;
            if (Double.isNaN(nanos)) {
                return Long.MIN_VALUE;
            }
            if (nanos > Long.MAX_VALUE || nanos < Long.MIN_VALUE) {
                throw ApiException.badData("cannot parse " + GoQuote.quote(s) + " to a valid duration. It overflows int64");
            }
            return (long) (nanos / 1e6);
        }
        try {
            return PromDuration.parse(s);
        } catch (InvalidRequestException | IllegalArgumentException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, "cannot parse " + GoQuote.quote(s) + " to a valid duration", e);
        }
    }

    /** A duration from now on: at least a millisecond, or below 0 where there is no time at all. */
    static long parseTimeout(String s) {
        long millis = parseDuration(s);
        @Nullable
        Double d = parseFloat(s);
        boolean positive = d == null ? millis > 0 : d > 0;
        return positive ? Math.max(1, millis) : -1;
    }

    /** A duration whose complaint names the parameter. */
    long duration(String name, long otherwise) {
        String v = text(name);
        if (v.isEmpty()) {
            return otherwise;
        }
        try {
            return parseDuration(v);
        } catch (ApiException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, "'" + name + "' parameter: " + e.getMessage(), e);
        }
    }

    long time(String name, long otherwise) {
        String v = text(name);
        if (v.isEmpty()) {
            return otherwise;
        }
        try {
            return parseTime(v);
        } catch (ApiException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, "Invalid time value for '" + name + "': " + e.getMessage(), e);
        }
    }

    /** Start and end of metadata calls. */
    long[] range(long defaultRangeMillis, long now) {
        try {
            long start = time("start", defaultRangeMillis > 0 ? now - defaultRangeMillis : MIN_TIME);
            long end = time("end", defaultRangeMillis > 0 ? now : MAX_TIME);
            if (end < start) {
                throw ApiException.badData("end timestamp must not be before start time");
            }
            return new long[]{start, end};
        } catch (ApiException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, "bad_data: " + e.getMessage(), e);
        }
    }

    /** How many series a query answers at most, 0 for all; what is no number is named as Prometheus does. */
    int limit() {
        return limit(false);
    }

    /** How many names, values or series a metadata call answers at most, 0 for all; what is no number is named as Thanos does. */
    int metadataLimit() {
        return limit(true);
    }

    private int limit(boolean asThanos) {
        String v = text("limit");
        if (v.isEmpty()) {
            return 0;
        }
        try {
            int n = parseInt(v);
            if (n < 0) {
                throw ApiException.badData("limit must be non-negative");
            }
            return n;
        } catch (NumberFormatException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA,
                    asThanos ? "cannot parse " + GoQuote.quote(v) + " to a valid limit" : String.valueOf(e.getMessage()), e);
        }
    }

    /**
     * Go's {@code strconv.Atoi}; what does not fit into an int is as good as its bounds.
     *
     * @throws NumberFormatException with Go's text
     */
    static int parseInt(String s) {
        return Math.clamp(parseLong(s), Integer.MIN_VALUE, Integer.MAX_VALUE);
    }

    /**
     * Go's {@code strconv.Atoi}.
     *
     * @throws NumberFormatException with Go's text
     */
    static long parseLong(String s) {
        int from = s.startsWith("+") || s.startsWith("-") ? 1 : 0;
        boolean digits = s.length() > from;
        for (int i = from; i < s.length(); i++) {
            digits &= s.charAt(i) >= '0' && s.charAt(i) <= '9';
        }
        if (!digits) {
            throw new NumberFormatException("strconv.Atoi: parsing " + GoQuote.quote(s) + ": invalid syntax");
        }
        try {
            return Long.parseLong(s);
        } catch (NumberFormatException e) {
            throw new NumberFormatException("strconv.Atoi: parsing " + GoQuote.quote(s) + ": value out of range");
        }
    }

    List<String> replicaLabels(List<String> otherwise) {
        List<String> given = new ArrayList<>(all("replicaLabels[]"));
        given.addAll(all("replicaLabels"));
        if (given.isEmpty()) {
            return otherwise;
        }
        Set<String> out = new LinkedHashSet<>();
        for (String g : given) {
            for (String l : g.split(",")) {
                if (!l.isEmpty()) {
                    out.add(l);
                }
            }
        }
        return List.copyOf(out);
    }

    StoreFilter storeFilter() {
        List<String> given = all("storeMatch[]");
        if (given.isEmpty()) {
            return StoreFilter.ALL;
        }
        List<List<Matcher>> out = new ArrayList<>();
        for (String s : given) {
            List<Matcher> on = new ArrayList<>();
            // Only the address is known of a store here; other labels select nothing and drop nothing, as in Thanos.
            for (Matcher m : selector(s)) {
                if (m.name().equals(StoreFilter.ADDRESS)) {
                    on.add(m);
                }
            }
            out.add(on);
        }
        return new StoreFilter(out);
    }

    /** The matchers of a selector in its general form. */
    static List<Matcher> selector(String s) {
        try {
            Expr e = Parser.parse(s, ParserOptions.DEFAULT);
            if (e instanceof VectorSelector v) {
                return v.matchers();
            }
            throw ApiException.badData("expected type *parser.VectorSelector, got *parser." + goName(e));
        } catch (InvalidRequestException e) {
            // A query must name something; a selector of stores or labels need not.
            if (e.getMessage().contains("must contain at least one non-empty matcher")) {
                return Parser.parseSelector(s);
            }
            throw new ApiException(ApiException.Kind.BAD_DATA, e.getMessage(), e);
        }
    }

    private static String goName(Expr e) {
        return switch (e) {
            case io.varve.promql.parser.Call c -> "Call";
            case io.varve.promql.parser.AggregateExpr a -> "AggregateExpr";
            case io.varve.promql.parser.BinaryExpr b -> "BinaryExpr";
            case io.varve.promql.parser.MatrixSelector m -> "MatrixSelector";
            case io.varve.promql.parser.SubqueryExpr q -> "SubqueryExpr";
            case io.varve.promql.parser.NumberLiteral n -> "NumberLiteral";
            case io.varve.promql.parser.StringLiteral t -> "StringLiteral";
            case io.varve.promql.parser.UnaryExpr u -> "UnaryExpr";
            case io.varve.promql.parser.ParenExpr p -> "ParenExpr";
            case io.varve.promql.parser.DurationExpr d -> "DurationExpr";
            case io.varve.promql.parser.StepInvariantExpr i -> "StepInvariantExpr";
            case VectorSelector v -> "VectorSelector";
        };
    }

    List<List<Matcher>> matchers(boolean required) {
        List<String> given = all("match[]");
        if (given.isEmpty() && required) {
            throw ApiException.badData("no match[] parameter provided");
        }
        List<List<Matcher>> out = new ArrayList<>();
        for (String s : given) {
            out.add(selector(s));
        }
        return out;
    }

    ShardInfo shard() {
        return parseShard(text("shard_info"));
    }

    /** A shard as Go's JSON decoder reads it: {@code null} is nothing, and what is of another type than its field is named by that. */
    static ShardInfo parseShard(String v) {
        if (v.isEmpty()) {
            return ShardInfo.NONE;
        }
        JsonNode n;
        try {
            n = JSON.reader().with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).readTree(v);
        } catch (JsonProcessingException e) {
            String why = e instanceof com.fasterxml.jackson.core.io.JsonEOFException
                    ? "unexpected end of JSON input"
                    : e.getOriginalMessage();
            throw new ApiException(ApiException.Kind.BAD_DATA, "could not unmarshal parameter shard_info: " + why, e);
        }
        if (n == null || n.isMissingNode()) {
            throw ApiException.badData("could not unmarshal parameter shard_info: unexpected end of JSON input");
        }
        if (n.isNull()) {
            return ShardInfo.NONE;
        }
        if (!n.isObject()) {
            throw unfit(n, "value of type storepb.ShardInfo");
        }
        List<String> labels = new ArrayList<>();
        JsonNode given = n.path("labels");
        if (!given.isArray() && !absent(given)) {
            throw unfit(given, "struct field ShardInfo.labels of type []string");
        }
        for (JsonNode l : given) {
            if (!l.isTextual() && !l.isNull()) {
                throw unfit(l, "struct field ShardInfo.labels of type string");
            }
            labels.add(l.asText(""));
        }
        JsonNode by = n.path("by");
        if (!by.isBoolean() && !absent(by)) {
            throw unfit(by, "struct field ShardInfo.by of type bool");
        }
        long total = whole(n, "total_shards");
        long index = whole(n, "shard_index");
        return total < 1 ? ShardInfo.NONE : new ShardInfo(index, total, by.asBoolean(), labels);
    }

    private static long whole(JsonNode in, String field) {
        JsonNode n = in.path(field);
        if (!absent(n) && !(n.isIntegralNumber() && n.canConvertToLong())) {
            throw unfit(n, "struct field ShardInfo." + field + " of type int64");
        }
        return n.asLong();
    }

    private static boolean absent(JsonNode n) {
        return n.isMissingNode() || n.isNull();
    }

    private static ApiException unfit(JsonNode n, String what) {
        String kind = n.isArray()
                ? "array"
                : n.isObject() ? "object" : n.isTextual() ? "string" : n.isBoolean() ? "bool" : "number";
        String number = n.isNumber() && what.endsWith("int64") ? " " + n : "";
        return ApiException
                .badData("could not unmarshal parameter shard_info: json: cannot unmarshal " + kind + number + " into Go " + what);
    }
}
