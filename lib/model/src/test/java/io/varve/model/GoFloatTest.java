package io.varve.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GoFloatTest {
    @ParameterizedTest
    @CsvSource({"1,1,1,1e+00", "-0.0,-0,-0,-0e+00", "1e6,1000000,1e+06,1e+06", "123456789,123456789,1.23456789e+08,1.23456789e+08",
            "1e22,10000000000000000000000,1e+22,1e+22",
            "0.0001,0.0001,0.0001,1e-04", "0.00001,0.00001,1e-05,1e-05", "2e23,200000000000000000000000,2e+23,2e+23",
            "Infinity,+Inf,+Inf,+Inf", "NaN,NaN,NaN,NaN", "100000,100000,100000,1e+05"})
    void writesTheFewestDigits(double v, String plain, String general, String exponent) {
        assertThat(GoFloat.plain(v)).isEqualTo(plain);
        assertThat(GoFloat.general(v)).isEqualTo(general);
        assertThat(GoFloat.exponent(v)).isEqualTo(exponent);
    }

    @ParameterizedTest
    @CsvSource({"0.123456,2,0.12", "123456,2,1.2e+05", "100,2,1e+02", "100,3,100", "0,2,0", "0.00001234,3,1.23e-05", "9.99,2,10",
            "1e-7,2,1e-07"})
    void roundsToSignificantDigits(double v, int digits, String text) {
        assertThat(GoFloat.general(v, digits)).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource({"1.0005,3,1.000", "2.5,0,2", "1e20,1,100000000000000000000.0", "-0.0001,3,-0.000", "NaN,3,NaN"})
    void writesFixedDecimals(double v, int decimals, String text) {
        assertThat(GoFloat.fixed(v, decimals)).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource({"1,1.0", "0.5,0.5", "100,100.0", "1e6,1e+06", "-1,-1.0", "0,0.0"})
    void writesOpenMetrics(double v, String text) {
        assertThat(GoFloat.openMetrics(v)).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource({"1,1", "1_000,1000", "1_0.5_5,10.55", "1e1_0,1e10", "-1_0,-10", "0x_1p2,4", "0x1_0p1_0,16384", "00_1,1", "1_0e-1_0,1e-9",
            "+1.5,1.5", "-.5,-0.5", "5.,5", "1e3,1000", "0x1p4,16", "0X_1.8P-1,0.75", "Inf,Infinity", "-infinity,-Infinity",
            "NAN,NaN", "1E-400,0"})
    void readsFloats(String text, double v) {
        assertThat((Double) GoFloat.parse(text)).isEqualTo((Double) v);
    }

    @ParameterizedTest
    @CsvSource({"''", "1__0", "_1", "1_", "1_.5", "1._5", "1_e5", "1e_5", "1e5_", "0_x1p1", "0x1p_1", "0x1_p1", "0b1_1", "i_nf", "0x1_0",
            "0x1", "1e", "+nan", "1f", "1d", ".", "0x", "e1", "' 1'", "0x1._8p0"})
    void refusesWhatIsNoFloat(String text) {
        assertThatThrownBy(() -> GoFloat.parse(text)).isInstanceOf(NumberFormatException.class)
                .hasMessage("strconv.ParseFloat: parsing \"" + text + "\": invalid syntax");
    }

    @Test
    void writesTheSmallestFloatWithOneDigit() {
        assertThat(GoFloat.general(Double.MIN_VALUE)).isEqualTo("5e-324");
        assertThat(GoFloat.plain(Double.MIN_VALUE)).isEqualTo("0." + "0".repeat(323) + "5");
    }

    @Test
    void refusesWhatIsTooLarge() {
        assertThatThrownBy(() -> GoFloat.parse("1e400")).hasMessage("strconv.ParseFloat: parsing \"1e400\": value out of range");
    }

    @Test
    void writesEachFloatSoThatItReadsBackTheSame() {
        java.util.Random random = new java.util.Random(1);
        for (int i = 0; i < 100_000; i++) {
            double v = Double.longBitsToDouble(random.nextLong());
            if (Double.isFinite(v)) {
                assertThat(GoFloat.parse(GoFloat.plain(v))).isEqualTo(v);
                assertThat(GoFloat.parse(GoFloat.general(v))).isEqualTo(v);
                assertThat(GoFloat.parse(GoFloat.sample(v))).isEqualTo(v);
            }
        }
    }
}
