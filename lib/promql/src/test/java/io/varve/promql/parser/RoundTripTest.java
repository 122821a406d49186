package io.varve.promql.parser;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What is printed reads back as the same tree; what is broken is refused and never worse. */
class RoundTripTest {
    private static final int SEED = 20_260_821;

    /** All of the tree but the places and the order of conditions. */
    private static String tree(Expr e) {
        return e.type() + Pattern.compile("\\{\"name\":\"(\\\\.|[^\"])*\",\"type\":\"[!=~]*\",\"value\":\"(\\\\.|[^\"])*\"}(,|(?=]))")
                .matcher(AstJson.write(e))
                .replaceAll("") + matchers(e);
    }

    private static String matchers(Expr e) {
        if (e instanceof VectorSelector v) {
            return v.matchers().stream().map(Object::toString).sorted().toList().toString();
        }
        StringBuilder sb = new StringBuilder();
        e.children().forEach(c -> sb.append(matchers(c)));
        return sb.toString();
    }

    @Test
    void printedExpressionsReadBackAsTheSameTree() {
        Random random = new Random(SEED);
        ExprTexts texts = new ExprTexts(random);
        for (int i = 0; i < 10_000; i++) {
            String text = texts.expression(1 + random.nextInt(5));
            Expr expr;
            try {
                expr = Parser.parse(text, ParserOptions.ALL);
            } catch (ParseException e) {
                throw new AssertionError("not valid: " + text, e);
            }
            String printed = Printer.print(expr);
            assertThat(tree(Parser.parse(printed, ParserOptions.ALL))).as("%s%n%s", text, printed).isEqualTo(tree(expr));
            assertThat(Printer.print(Parser.parse(printed, ParserOptions.ALL))).isEqualTo(printed);
            for (int line : new int[]{10, 30, 100}) {
                String pretty = Prettifier.format(expr, line);
                assertThat(tree(Parser.parse(pretty, ParserOptions.ALL))).as("%s%n%s", text, pretty).isEqualTo(tree(expr));
            }
        }
    }

    @Test
    void placesHoldWhatTheyName() {
        Random random = new Random(SEED + 1);
        ExprTexts texts = new ExprTexts(random);
        for (int i = 0; i < 5_000; i++) {
            String text = texts.expression(4);
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            places(Parser.parse(text, ParserOptions.ALL), 0, bytes.length, text);
        }
    }

    private static void places(Expr e, int from, int to, String text) {
        assertThat(e.position().start()).as(text).isBetween(from, to);
        // Where Prometheus has to read one token further, an end may lie one closing parenthesis later.
        assertThat(e.position().end()).as(text).isBetween(e.position().start(), to + 16);
        e.children().forEach(c -> places(c, from, to, text));
    }

    @Test
    void brokenExpressionsAreRefusedAndNothingElse() {
        Random random = new Random(SEED + 2);
        ExprTexts texts = new ExprTexts(random);
        byte[] odd = "(){}[]@\"'`\\#,:=!~<>+-*/%^._x0159eEsmhdwy\n\t \u00e9".getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < 20_000; i++) {
            byte[] bytes = texts.expression(random.nextInt(4)).getBytes(StandardCharsets.UTF_8);
            int changes = 1 + random.nextInt(4);
            for (int c = 0; c < changes && bytes.length > 0; c++) {
                bytes = mutate(bytes, random, odd);
            }
            refusesOrReads(bytes);
        }
        for (int i = 0; i < 40_000; i++) {
            byte[] bytes = new byte[random.nextInt(40)];
            for (int k = 0; k < bytes.length; k++) {
                bytes[k] = random.nextInt(8) == 0 ? (byte) random.nextInt() : odd[random.nextInt(odd.length)];
            }
            refusesOrReads(bytes);
        }
    }

    private static byte[] mutate(byte[] b, Random random, byte[] odd) {
        int at = random.nextInt(b.length);
        int other = random.nextInt(b.length);
        byte[] out;
        switch (random.nextInt(4)) {
            case 0 -> {
                out = b.clone();
                out[at] = odd[random.nextInt(odd.length)];
            }
            case 1 -> {
                out = new byte[b.length - 1];
                System.arraycopy(b, 0, out, 0, at);
                System.arraycopy(b, at + 1, out, at, b.length - at - 1);
            }
            case 2 -> {
                out = new byte[b.length + 1];
                System.arraycopy(b, 0, out, 0, at);
                out[at] = random.nextBoolean() ? (byte) random.nextInt() : odd[random.nextInt(odd.length)];
                System.arraycopy(b, at, out, at + 1, b.length - at);
            }
            default -> {
                out = java.util.Arrays.copyOf(b, Math.max(1, Math.min(at, other)));
            }
        }
        return out;
    }

    private static void refusesOrReads(byte[] bytes) {
        for (ParserOptions options : new ParserOptions[]{ParserOptions.DEFAULT, ParserOptions.ALL}) {
            try {
                Expr e = Parser.parse(bytes, options);
                Printer.print(e);
                Prettifier.format(e);
                AstJson.write(e);
            } catch (ParseException e) {
                assertThat(e.position().start()).isBetween(0, bytes.length);
                assertThat(e.line()).isPositive();
                assertThat(e.column()).isPositive();
                assertThat(e.reason()).isNotBlank();
            } catch (RuntimeException | StackOverflowError e) {
                throw new AssertionError("for " + Utf8.text(bytes, 0, bytes.length), e);
            }
        }
    }
}
