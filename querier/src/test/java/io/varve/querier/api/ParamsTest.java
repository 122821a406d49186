package io.varve.querier.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.store.ShardInfo;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Numbers and times as Go reads them. */
class ParamsTest {
    @ParameterizedTest
    @CsvSource({"1e9, 1000000000000", "1.0625, 1063", "-1.0625, -1063", "0.9996, 1000", "1.9999, 2000", "-0.5, -500", ".5, 500",
            "+5., 5000",
            "0x1p4, 16000", "2023-11-15T00:00:00Z, 1700006400000", "2023-11-15T00:00:00.1239999999999Z, 1700006400123",
            "'2023-11-15T00:00:00,5Z', 1700006400500", "2023-11-15T1:00:00+01:00, 1700006400000",
            "2023-11-14T00:00:00-24:00, 1700006400000", "1969-12-31T23:59:59.999Z, -1", "0000-01-01T00:00:00Z, -62167219200000",
            "-292273086-05-16T16:47:06Z, -9223309901257974", "292277025-08-18T07:12:54.999999999Z, 9223309901257974",
            "9223372036854774, 9223309901257974", "-9223372036854774, -9223309901257974"})
    void aTimeIsReadAsGoReadsIt(String text, long millis) {
        assertThat(Params.parseTime(text)).isEqualTo(millis);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " 1", "1 ", "1e", "1e999", "0x1", "--1", "now", "2023-11-15", "2023-11-15T00:00:00", "2023-11-15T24:00:00Z",
            "2023-02-30T00:00:00Z", "2023-11-15t00:00:00z", "2023-11-15T00:00:00+25:00", "2023-11-15T00:00:00.Z", "+nan"})
    void whatIsNoTimeIsRefusedWithItsText(String text) {
        assertThatThrownBy(() -> Params.parseTime(text)).isInstanceOf(ApiException.class)
                .hasMessage("cannot parse \"" + text + "\" to a valid timestamp");
    }

    @ParameterizedTest
    @CsvSource({"5, 5", "+5, 5", "-5, -5", "0, 0", "007, 7", "3000000000, 2147483647", "-9223372036854775808, -2147483648"})
    void aNumberBeyondAnIntIsAsGoodAsItsBound(String text, int n) {
        assertThat(Params.parseInt(text)).isEqualTo(n);
    }

    @ParameterizedTest
    @CsvSource({"x, invalid syntax", "1.5, invalid syntax", "1e3, invalid syntax", "+, invalid syntax", "'', invalid syntax",
            "٣, invalid syntax", "9223372036854775808, value out of range"})
    void whatIsNoNumberIsRefusedWithGosText(String text, String why) {
        assertThatThrownBy(() -> Params.parseInt(text)).isInstanceOf(NumberFormatException.class)
                .hasMessage("strconv.Atoi: parsing \"" + text + "\": " + why);
    }

    @ParameterizedTest
    @CsvSource({"5m, 300000", "1h30m, 5400000", "0, 0", "1e3, 1000000", "0.0004, 0", "33.3, 33299", "-5, -5000"})
    void aDurationIsSecondsOrAsPrometheusWritesIt(String text, long millis) {
        assertThat(Params.parseDuration(text)).isEqualTo(millis);
    }

    @ParameterizedTest
    @CsvSource({"5m, 300000", "1.5, 1500", "0.0001, 1", "1e-300, 1", "0, -1", "0s, -1", "-1, -1", "NaN, -1"})
    void aTimeoutIsAtLeastAMillisecondOrNoTime(String text, long millis) {
        assertThat(Params.parseTimeout(text)).isEqualTo(millis);
    }

    @Test
    void aShardIsReadAsGoReadsIt() {
        assertThat(Params.parseShard("")).isEqualTo(ShardInfo.NONE);
        assertThat(Params.parseShard("null")).isEqualTo(ShardInfo.NONE);
        assertThat(Params.parseShard("{}")).isEqualTo(ShardInfo.NONE);
        assertThat(Params.parseShard("{\"total_shards\":3,\"shard_index\":1,\"by\":true,\"labels\":[\"a\"],\"x\":5}"))
                .isEqualTo(new ShardInfo(1, 3, true, List.of("a")));
        assertThat(Params.parseShard("{\"total_shards\":3,\"shard_index\":null,\"by\":null,\"labels\":null}"))
                .isEqualTo(new ShardInfo(0, 3, false, List.of()));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"[]|array into Go value of type storepb.ShardInfo",
            "5|number into Go value of type storepb.ShardInfo",
            "\"x\"|string into Go value of type storepb.ShardInfo", "true|bool into Go value of type storepb.ShardInfo",
            "{\"total_shards\":\"2\"}|string into Go struct field ShardInfo.total_shards of type int64",
            "{\"total_shards\":1.5}|number 1.5 into Go struct field ShardInfo.total_shards of type int64",
            "{\"by\":1}|number into Go struct field ShardInfo.by of type bool",
            "{\"labels\":{}}|object into Go struct field ShardInfo.labels of type []string",
            "{\"labels\":[true]}|bool into Go struct field ShardInfo.labels of type string"})
    void whatIsNoShardIsRefusedWithGosText(String text, String why) {
        assertThatThrownBy(() -> Params.parseShard(text)).isInstanceOf(ApiException.class)
                .hasMessage("could not unmarshal parameter shard_info: json: cannot unmarshal " + why);
    }
}
