package io.varve.promql.parser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** However deep an expression is nested, no stack overflows. */
class DepthTest {
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"(|1|)", "-|m|''", "- -|1|''", "abs(|m|)", "sum(|m|)", "1 + (|2|)", "1 ^ |2|''", "|m| or m",
            "|1| + 1", "max_over_time(|m|[5m:1m])", "topk(1, |m|)", "m[|5m|]", "(((|1|", "m offset (|5m|)", "m{|a|", "label_replace(|m|,"})
    void refusesOrReadsInASmallStack(String before, String middle, String after) throws InterruptedException {
        String b = before == null ? "" : before;
        String a = after == null ? "" : after;
        for (int n : new int[]{100, 490, 510, 990, 1_010, 100_000}) {
            String text = b.repeat(n) + middle + a.repeat(n);
            AtomicReference<Throwable> failed = new AtomicReference<>();
            Thread t = new Thread(null, () -> {
                try {
                    Expr e = Parser.parse(text, ParserOptions.ALL);
                    Printer.print(e);
                    Prettifier.format(e);
                    AstJson.write(e);
                    Preprocessor.preprocess(e, 0, 0, 0);
                } catch (ParseException e) {
                    // Refused, as it may be.
                } catch (Throwable e) {
                    failed.set(e);
                }
            }, "small", 1 << 20);
            t.start();
            t.join();
            assertThat(failed.get()).as("%d times %s", n, before).isNull();
        }
    }

    @Test
    void saysWhereItIsTooDeep() {
        assertThatThrownBy(() -> Parser.parse("(".repeat(2000) + "1" + ")".repeat(2000), ParserOptions.DEFAULT))
                .hasMessage("1:501: parse error: expression is nested too deeply");
    }

    @Test
    void readsWhatIsDeepButNotTooDeep() {
        Expr e = Parser.parse("(".repeat(490) + "1" + ")".repeat(490), ParserOptions.DEFAULT);
        assertThat(Printer.print(e)).hasSize(981);
        assertThat(Parser.parse("m" + " or m".repeat(900), ParserOptions.DEFAULT).type()).isEqualTo(ValueType.VECTOR);
    }
}
