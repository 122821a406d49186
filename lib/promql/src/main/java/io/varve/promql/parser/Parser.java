package io.varve.promql.parser;

import io.varve.model.GoFloat;
import io.varve.model.GoQuote;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.PromDuration;
import io.varve.promql.parser.VectorMatching.Cardinality;
import io.varve.promql.parser.VectorSelector.Edges;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads PromQL: by precedence for operators, by descent for the rest. Any text gives a tree or a {@link ParseException}, in time
 * that grows with its length alone. The first error in the order in which Prometheus' parser meets them is the one reported; what it
 * says was expected depends on the innermost construct that Prometheus' grammar can recover in, kept here as {@link #where}.
 */
public final class Parser {
    /**
     * How deep expressions may be nested, so that no walk over a tree can exhaust a thread's stack: this many operators in a chain, half
     * as many parentheses, calls or aggregations in each other.
     */
    public static final int MAX_DEPTH = 1000;
    /** What a level costs that is more than a link in a chain of operators. */
    private static final int NESTED = 2;

    private static final double MAX_DURATION_SECONDS = (double) Long.MAX_VALUE / 1e9;

    /** What an error says about where it struck. */
    private record Where(String context, String expected) {
        static final Where TOP = new Where("", "");
        static final Where AGGREGATION = new Where("aggregation", "");
        static final Where GROUPING = new Where("grouping opts", "\"(\"");
        static final Where GROUPING_LABEL = new Where("grouping opts", "label");
        static final Where GROUPING_NEXT = new Where("grouping opts", "\",\" or \")\"");
        static final Where OFFSET = new Where("offset", "number, duration, step(), or range()");
        static final Where AT = new Where("@", "timestamp");
        static final Where RANGE = new Where("subquery or range selector", "number, duration, step(), or range()");
        static final Where RANGE_END = new Where("subquery or range", "\":\" or \"]\"");
        static final Where STEP = new Where("subquery selector", "number, duration, step(), range(), or \"]\"");
        static final Where STEP_END = new Where("subquery selector", "\"]\"");
        static final Where MATCHER = new Where("label matching", "identifier or \"}\"");
        static final Where MATCHER_OP = new Where("label matching", "label matching operator");
        static final Where MATCHER_VALUE = new Where("label matching", "string");
        static final Where MATCHER_NEXT = new Where("label matching", "\",\" or \"}\"");
    }

    private final byte[] in;
    private final ParserOptions options;
    private final Lexer lexer;
    /** Whether {@link #lexer} stands on a token that is not consumed yet; nothing is read before it is needed. */
    private boolean peeked;
    private Where where = Where.TOP;
    private int depth;

    private Parser(byte[] in, ParserOptions options) {
        this.in = in;
        this.options = options;
        this.lexer = new Lexer(in);
    }

    /**
     * Reads an expression.
     *
     * @throws ParseException with Prometheus' text and place
     */
    public static Expr parse(String query, ParserOptions options) {
        return parse(Utf8.bytes(query), options);
    }

    /**
     * Reads an expression of UTF-8, which may be broken.
     *
     * @throws ParseException with Prometheus' text and place
     */
    public static Expr parse(byte[] query, ParserOptions options) {
        Parser p = new Parser(query, options);
        if (p.peek() == TokenKind.EOF) {
            throw p.error(Position.NONE, "no expression found in input");
        }
        Expr expr = p.expression(0);
        if (p.peek() != TokenKind.EOF) {
            throw p.unexpected();
        }
        return new Checker(query).check(expr);
    }

    /**
     * Reads a selector without range or modifiers, as {@code match[]} of the HTTP API takes.
     *
     * @return its conditions
     * @throws ParseException with Prometheus' text and place
     */
    public static List<Matcher> parseSelector(String selector) {
        Parser p = new Parser(Utf8.bytes(selector), ParserOptions.DEFAULT);
        TokenKind k = p.peek();
        if (!k.canBeMetricName() && k != TokenKind.LEFT_BRACE) {
            throw p.unexpected();
        }
        VectorSelector vs = p.selector();
        if (p.peek() != TokenKind.EOF) {
            throw p.unexpected();
        }
        new Checker(p.in).checkNames(vs);
        return vs.matchers();
    }

    // ---- tokens and errors

    private TokenKind peek() {
        if (!peeked) {
            lexer.next();
            peeked = true;
        }
        return lexer.kind;
    }

    /** Consumes the current token and gives its place. */
    private Position take() {
        peek();
        peeked = false;
        return new Position(lexer.start, lexer.end);
    }

    private Position expect(TokenKind kind) {
        if (peek() != kind) {
            throw unexpected();
        }
        return take();
    }

    private ParseException unexpected() {
        peek();
        StringBuilder sb = new StringBuilder("unexpected ").append(lexer.describe());
        if (!where.context.isEmpty()) {
            sb.append(" in ").append(where.context);
        }
        if (!where.expected.isEmpty()) {
            sb.append(", expected ").append(where.expected);
        }
        return error(new Position(lexer.start, lexer.end), sb.toString());
    }

    private ParseException error(Position at, String message) {
        return ParseException.at(in, at, message);
    }

    private void enter() {
        depth += NESTED;
        if (depth > MAX_DEPTH) {
            throw tooDeep();
        }
    }

    private ParseException tooDeep() {
        peek();
        return error(new Position(lexer.start, lexer.end), "expression is nested too deeply");
    }

    // ---- operators

    /** An expression whose binary operators all bind tighter than {@code floor}. */
    private Expr expression(int floor) {
        enter();
        int outer = depth;
        Expr lhs = operand();
        while (true) {
            BinaryOp op = peek().binary;
            if (op == null || op.precedence() <= floor) {
                depth = outer - NESTED;
                return lhs;
            }
            take();
            // What has been read so far becomes one level deeper, so that long chains count as well.
            depth++;
            if (depth > MAX_DEPTH) {
                throw tooDeep();
            }
            lhs = binary(lhs, op);
        }
    }

    private Expr binary(Expr lhs, BinaryOp op) {
        boolean bool = false;
        if (peek() == TokenKind.BOOL) {
            take();
            bool = true;
        }
        VectorMatching matching = matching();
        // The power binds to the right: its own precedence may follow.
        Expr rhs = expression(op == BinaryOp.POW ? op.precedence() - 1 : op.precedence());
        Position position = new Position(lhs.position().start(), rhs.position().end());
        if (!options.binopFillModifiers() && matching.fills()) {
            throw error(position, "binop fill modifiers are experimental and not enabled");
        }
        return new BinaryExpr(op, lhs, rhs, matching, bool, position);
    }

    private VectorMatching matching() {
        List<String> labels = List.of();
        List<String> include = List.of();
        boolean on = false;
        Cardinality cardinality = Cardinality.ONE_TO_ONE;
        TokenKind k = peek();
        if (k == TokenKind.ON || k == TokenKind.IGNORING) {
            take();
            on = k == TokenKind.ON;
            labels = groupingLabels();
            TokenKind group = peek();
            if (group == TokenKind.GROUP_LEFT || group == TokenKind.GROUP_RIGHT) {
                take();
                cardinality = group == TokenKind.GROUP_LEFT ? Cardinality.MANY_TO_ONE : Cardinality.ONE_TO_MANY;
                if (peek() == TokenKind.LEFT_PAREN || !startsRightSide(lexer.kind)) {
                    include = groupingLabels();
                }
            }
        }
        Double left = null;
        Double right = null;
        TokenKind fill = peek();
        if (fill == TokenKind.FILL) {
            take();
            left = fillValue();
            right = left;
        } else if (fill == TokenKind.FILL_LEFT) {
            take();
            left = fillValue();
            if (peek() == TokenKind.FILL_RIGHT) {
                take();
                right = fillValue();
            }
        } else if (fill == TokenKind.FILL_RIGHT) {
            take();
            right = fillValue();
            if (peek() == TokenKind.FILL_LEFT) {
                take();
                left = fillValue();
            }
        }
        return new VectorMatching(cardinality, labels, on, include, left, right);
    }

    /** Whether a token can follow {@code group_left} without parentheses. */
    private static boolean startsRightSide(TokenKind k) {
        return k.canBeMetricName() || switch (k) {
            case FILL, FILL_LEFT, FILL_RIGHT, ADD, SUB, NUMBER, DURATION, STRING, LEFT_BRACE, LEFT_PAREN -> true;
            default -> false;
        };
    }

    private double fillValue() {
        expect(TokenKind.LEFT_PAREN);
        boolean negative = false;
        if (peek() == TokenKind.ADD || lexer.kind == TokenKind.SUB) {
            negative = lexer.kind == TokenKind.SUB;
            take();
        }
        if (peek() != TokenKind.NUMBER && lexer.kind != TokenKind.DURATION) {
            throw unexpected();
        }
        double value = number().value();
        expect(TokenKind.RIGHT_PAREN);
        return negative ? -value : value;
    }

    private List<String> groupingLabels() {
        Where outer = where;
        where = Where.GROUPING;
        expect(TokenKind.LEFT_PAREN);
        List<String> labels = new ArrayList<>();
        while (true) {
            if (peek() == TokenKind.RIGHT_PAREN && (labels.isEmpty() || where == Where.GROUPING_LABEL)) {
                take();
                break;
            }
            where = Where.GROUPING_LABEL;
            labels.add(groupingLabel());
            where = Where.GROUPING_NEXT;
            if (peek() == TokenKind.RIGHT_PAREN) {
                take();
                break;
            }
            expect(TokenKind.COMMA);
            where = Where.GROUPING_LABEL;
        }
        where = outer;
        return List.copyOf(labels);
    }

    private String groupingLabel() {
        TokenKind k = peek();
        String name;
        if (k == TokenKind.STRING) {
            name = Lexer.unquote(in, lexer.start, lexer.end);
        } else if (k.canBeLabelName()) {
            name = lexer.text();
        } else {
            throw unexpected();
        }
        Position at = take();
        if (name.isEmpty() || hasBrokenUtf8(name)) {
            throw error(at, "invalid label name for grouping: " + GoQuote.quote(name));
        }
        return name;
    }

    static boolean hasBrokenUtf8(String s) {
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (Character.isHighSurrogate(c)) {
                i++;
            } else if (Character.isLowSurrogate(c)) {
                return true;
            }
        }
        return false;
    }

    // ---- operands

    /** A signed or unsigned primary with all that may follow it. */
    private Expr operand() {
        TokenKind k = peek();
        if (k == TokenKind.ADD || k == TokenKind.SUB) {
            Position sign = take();
            // Signs bind as products do: only a power binds tighter.
            Expr expr = expression(BinaryOp.MUL.precedence());
            boolean negative = k == TokenKind.SUB;
            Position position = new Position(sign.start(), expr.position().end());
            if (expr instanceof NumberLiteral n) {
                return new NumberLiteral(negative ? -n.value() : n.value(), n.duration(), position);
            }
            return new UnaryExpr(negative, expr, position);
        }
        Expr expr = primary();
        int outer = depth;
        while (true) {
            switch (peek()) {
                case LEFT_BRACKET -> {
                    enter();
                    expr = range(expr);
                }
                case OFFSET -> expr = offset(expr);
                case AT -> expr = at(expr);
                case ANCHORED -> {
                    take();
                    expr = edges(expr, Edges.ANCHORED);
                }
                case SMOOTHED -> {
                    take();
                    expr = edges(expr, Edges.SMOOTHED);
                }
                default -> {
                    depth = outer;
                    return expr;
                }
            }
        }
    }

    private Expr primary() {
        TokenKind k = peek();
        switch (k) {
            case NUMBER, DURATION -> {
                return number();
            }
            case STRING -> {
                String text = Lexer.unquote(in, lexer.start, lexer.end);
                return new StringLiteral(text, take());
            }
            case LEFT_PAREN -> {
                Position open = take();
                Expr inner = expression(0);
                Position close = expect(TokenKind.RIGHT_PAREN);
                return new ParenExpr(inner, new Position(open.start(), close.end()));
            }
            case LEFT_BRACE -> {
                return selector();
            }
            default -> {
                if (!k.canBeMetricName()) {
                    throw unexpected();
                }
                return named(k);
            }
        }
    }

    /** What begins with a word: an aggregation, a call or a selector, as the next token says. */
    private Expr named(TokenKind k) {
        String word = lexer.text();
        Position at = take();
        TokenKind next = peek();
        AggregateOp op = k.aggregate;
        if (op != null && (next == TokenKind.LEFT_PAREN || next == TokenKind.BY || next == TokenKind.WITHOUT)) {
            return aggregate(op, at);
        }
        if (next == TokenKind.LEFT_PAREN && k.canBeFunctionName()) {
            return call(word, at);
        }
        return selector(word, at);
    }

    private Expr call(String word, Position at) {
        List<Expr> args = arguments();
        FunctionSignature function = Functions.get(word);
        if (function == null) {
            throw error(at, "unknown function with name " + GoQuote.quote(word));
        }
        if (function.experimental() && !options.experimentalFunctions()) {
            throw error(at, "function " + GoQuote.quote(word) + " is not enabled");
        }
        return new Call(function, List.copyOf(args), new Position(at.start(), lexer.lastClosing));
    }

    private List<Expr> arguments() {
        expect(TokenKind.LEFT_PAREN);
        List<Expr> args = new ArrayList<>();
        if (peek() == TokenKind.RIGHT_PAREN) {
            take();
            return args;
        }
        while (true) {
            args.add(expression(0));
            if (peek() == TokenKind.RIGHT_PAREN) {
                take();
                return args;
            }
            Position comma = expect(TokenKind.COMMA);
            if (!startsExpression(peek())) {
                throw error(comma, "trailing commas not allowed in function call args");
            }
        }
    }

    private static boolean startsExpression(TokenKind k) {
        return k.canBeMetricName() || switch (k) {
            case ADD, SUB, NUMBER, DURATION, STRING, LEFT_BRACE, LEFT_PAREN -> true;
            default -> false;
        };
    }

    private Expr aggregate(AggregateOp op, Position at) {
        Where outer = where;
        where = Where.AGGREGATION;
        List<String> grouping = List.of();
        boolean without = false;
        List<Expr> args;
        int end;
        if (peek() == TokenKind.BY || lexer.kind == TokenKind.WITHOUT) {
            without = lexer.kind == TokenKind.WITHOUT;
            take();
            grouping = groupingLabels();
            args = arguments();
            end = lexer.lastClosing;
        } else {
            args = arguments();
            if (peek() == TokenKind.BY || lexer.kind == TokenKind.WITHOUT) {
                without = lexer.kind == TokenKind.WITHOUT;
                take();
                grouping = groupingLabels();
                end = lexer.lastClosing;
            } else {
                end = lexer.previousRightParen();
            }
        }
        where = outer;
        Position position = new Position(at.start(), end);
        if (args.isEmpty()) {
            throw error(position, "no arguments for aggregate expression provided");
        }
        if (op.isExperimental() && !options.experimentalFunctions()) {
            throw error(position, op.text()
                    + "() is experimental and must be enabled with --enable-feature=promql-experimental-functions");
        }
        int wanted = op.hasParameter() ? 2 : 1;
        if (args.size() != wanted) {
            throw error(position,
                    "wrong number of arguments for aggregate expression provided, expected " + wanted + ", got " + args.size());
        }
        return new AggregateExpr(op, args.get(wanted - 1), wanted == 2 ? args.get(0) : null, grouping, without, position);
    }

    private NumberLiteral number() {
        boolean duration = peek() == TokenKind.DURATION;
        String text = lexer.text();
        Position at = take();
        double value;
        if (duration) {
            try {
                value = PromDuration.parse(text) / 1000.0;
            } catch (InvalidRequestException e) {
                throw error(at, e.getMessage());
            }
        } else {
            value = parseNumber(text, at);
        }
        return new NumberLiteral(value, duration, at);
    }

    private double parseNumber(String text, Position at) {
        try {
            return number(text);
        } catch (NumberFormatException e) {
            throw error(at, "error parsing number: "
                    + String.valueOf(e.getMessage()).replace(GoQuote.quote(text.replace("_", "")), GoQuote.quote(text)));
        }
    }

    /**
     * A number as expressions and scripts write it: first as an integer with Go's prefixes (a leading 0 is octal), then as a float.
     *
     * @throws NumberFormatException with Go's text
     */
    public static double number(String text) {
        Long n = goInteger(text);
        if (n != null) {
            return n;
        }
        return GoFloat.parse(text);
    }

    /** Go's integers of base 0, null where the text is none that fits into 64 bits. */
    static @Nullable Long goInteger(String text) {
        String digits = text;
        int base = 10;
        if (text.length() > 1 && text.charAt(0) == '0') {
            char c = Character.toLowerCase(text.charAt(1));
            base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
            digits = text.substring(c == 'x' || c == 'b' || c == 'o' ? 2 : 1);
        }
        if (digits.indexOf('_') >= 0) {
            // Between digits or after the prefix, and only where there is a prefix.
            if (base == 10 || digits.endsWith("_") || digits.contains("__")) {
                return null;
            }
            digits = digits.replace("_", "");
        }
        if (digits.isEmpty() || digits.charAt(0) == '+' || digits.charAt(0) == '-') {
            return null;
        }
        try {
            return Long.parseLong(digits, base);
        } catch (NumberFormatException e) {
            return null;
        }
    }

    // ---- selectors

    private VectorSelector selector() {
        if (peek() == TokenKind.LEFT_BRACE) {
            return selector("", new Position(lexer.start, lexer.start));
        }
        String word = lexer.text();
        return selector(word, take());
    }

    private VectorSelector selector(String name, Position at) {
        List<Matcher> matchers = new ArrayList<>();
        int end = at.end();
        if (peek() == TokenKind.LEFT_BRACE) {
            end = matchers(matchers);
        }
        if (!name.isEmpty()) {
            matchers.add(Matcher.equal(Labels.METRIC_NAME, name));
        }
        return new VectorSelector(name, List.copyOf(matchers), TimeShift.NONE, Edges.NORMAL, new Position(at.start(), end));
    }

    /** Reads what stands in braces and gives the end of the right one. */
    private int matchers(List<Matcher> into) {
        Where outer = where;
        take();
        where = Where.MATCHER;
        boolean first = true;
        while (true) {
            if (peek() == TokenKind.RIGHT_BRACE) {
                break;
            }
            if (!first && where == Where.MATCHER_NEXT) {
                expect(TokenKind.COMMA);
                where = Where.MATCHER;
                first = false;
                continue;
            }
            into.add(matcher());
            first = false;
            where = Where.MATCHER_NEXT;
        }
        where = outer;
        return take().end();
    }

    private Matcher matcher() {
        TokenKind k = peek();
        if (k != TokenKind.IDENTIFIER && k != TokenKind.STRING) {
            throw unexpected();
        }
        boolean quoted = k == TokenKind.STRING;
        String name = quoted ? Lexer.unquote(in, lexer.start, lexer.end) : lexer.text();
        Position at = take();
        Matcher.Type type = switch (peek()) {
            case EQL -> Matcher.Type.EQUAL;
            case NEQ -> Matcher.Type.NOT_EQUAL;
            case EQL_REGEX -> Matcher.Type.REGEX;
            case NEQ_REGEX -> Matcher.Type.NOT_REGEX;
            default -> null;
        };
        if (type == null) {
            if (quoted) {
                return Matcher.equal(Labels.METRIC_NAME, name);
            }
            where = Where.MATCHER_OP;
            throw unexpected();
        }
        take();
        where = Where.MATCHER_VALUE;
        if (peek() != TokenKind.STRING) {
            throw unexpected();
        }
        String value = Lexer.unquote(in, lexer.start, lexer.end);
        Position valueAt = take();
        try {
            return Matcher.of(type, name, value);
        } catch (InvalidRequestException e) {
            throw error(new Position(at.start(), valueAt.end()), e.getMessage());
        }
    }

    // ---- ranges, offsets, @

    private Expr range(Expr expr) {
        Where outer = where;
        Position open = take();
        where = Where.RANGE;
        Expr range = positiveDuration();
        where = Where.RANGE_END;
        if (peek() == TokenKind.RIGHT_BRACKET) {
            Position close = take();
            where = outer;
            return matrix(expr, range, new Position(open.start(), close.end()));
        }
        expect(TokenKind.COLON);
        where = Where.STEP;
        Expr step = null;
        if (peek() != TokenKind.RIGHT_BRACKET) {
            step = positiveDuration();
            where = Where.STEP_END;
        }
        Position close = expect(TokenKind.RIGHT_BRACKET);
        where = outer;
        return new SubqueryExpr(expr, literalNanos(range), asExpr(range), step == null ? 0 : literalNanos(step),
                step == null ? null : asExpr(step), TimeShift.NONE, new Position(expr.position().start(), close.end()));
    }

    private Expr matrix(Expr expr, Expr range, Position brackets) {
        if (!(expr instanceof VectorSelector vs)) {
            throw error(brackets, "ranges only allowed for vector selectors");
        }
        if (vs.shift().hasOffset()) {
            throw error(brackets, "no offset modifiers allowed before range");
        }
        if (vs.shift().at() != null) {
            throw error(brackets, "no @ modifiers allowed before range");
        }
        return new MatrixSelector(vs, literalNanos(range), asExpr(range), new Position(vs.position().start(), lexer.lastClosing));
    }

    private static @Nullable DurationExpr asExpr(Expr e) {
        return e instanceof DurationExpr d ? d : null;
    }

    /** A literal's seconds as nanoseconds, rounded, as Go keeps durations; 0 for what must be computed first. */
    private static long literalNanos(Expr e) {
        if (!(e instanceof NumberLiteral n)) {
            return 0;
        }
        double nanos = n.value() * 1e9;
        double rounded = nanos < 0 ? -Math.floor(-nanos + 0.5) : Math.floor(nanos + 0.5);
        return (long) rounded;
    }

    private Expr offset(Expr expr) {
        Where outer = where;
        take();
        where = Where.OFFSET;
        Expr duration = offsetDuration();
        where = outer;
        TimeShift shift = shiftOf(expr);
        if (shift == null) {
            throw error(expr.position(),
                    "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery");
        }
        if (shift.hasOffset()) {
            throw error(expr.position(), "offset may not be set multiple times");
        }
        return withShift(expr, duration instanceof DurationExpr d ? shift.withOffset(d) : shift.withOffset(literalNanos(duration)));
    }

    private Expr at(Expr expr) {
        Where outer = where;
        take();
        where = Where.AT;
        TokenKind k = peek();
        TimeShift.At at;
        if (k == TokenKind.START || k == TokenKind.END) {
            take();
            expect(TokenKind.LEFT_PAREN);
            expect(TokenKind.RIGHT_PAREN);
            at = k == TokenKind.START ? TimeShift.At.START : TimeShift.At.END;
        } else {
            boolean negative = false;
            if (k == TokenKind.ADD || k == TokenKind.SUB) {
                negative = k == TokenKind.SUB;
                take();
            }
            if (peek() != TokenKind.NUMBER && lexer.kind != TokenKind.DURATION) {
                throw unexpected();
            }
            double seconds = number().value();
            if (negative) {
                seconds = -seconds;
            }
            if (!(seconds < 9223372036854775807.0 && seconds > -9223372036854775808.0)) {
                throw error(expr.position(), "timestamp out of bounds for @ modifier: " + GoFloat.fixed(seconds, 6));
            }
            at = TimeShift.At.of(timestamp(seconds));
        }
        where = outer;
        TimeShift shift = shiftOf(expr);
        if (shift == null) {
            throw error(expr.position(),
                    "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery");
        }
        if (shift.at() != null) {
            throw error(expr.position(), "@ <timestamp> may not be set multiple times");
        }
        return withShift(expr, shift.withAt(at));
    }

    private static long timestamp(double seconds) {
        double ms = seconds * 1000;
        double rounded = ms < 0 ? -Math.floor(-ms + 0.5) : Math.floor(ms + 0.5);
        // What does not fit becomes the least number, as on the machines that Prometheus mostly runs on.
        return rounded >= 9223372036854775808.0 || rounded < -9223372036854775808.0 ? Long.MIN_VALUE : (long) rounded;
    }

    private static @Nullable TimeShift shiftOf(Expr expr) {
        return switch (expr) {
            case VectorSelector v -> v.shift();
            case MatrixSelector m -> m.selector().shift();
            case SubqueryExpr s -> s.shift();
            default -> null;
        };
    }

    private Expr withShift(Expr expr, TimeShift shift) {
        Position position = new Position(expr.position().start(), lexer.lastClosing);
        return switch (expr) {
            case VectorSelector v -> new VectorSelector(v.name(), v.matchers(), shift, v.edges(), position);
            case MatrixSelector m -> new MatrixSelector(m.selector().withShift(shift), m.rangeNanos(), m.rangeExpr(), position);
            case SubqueryExpr s ->
                new SubqueryExpr(s.expr(), s.rangeNanos(), s.rangeExpr(), s.stepNanos(), s.stepExpr(), shift, position);
            default -> throw new IllegalStateException("no shift on " + expr.type());
        };
    }

    private Expr edges(Expr expr, Edges edges) {
        String name = edges == Edges.ANCHORED ? "anchored" : "smoothed";
        if (!options.extendedRangeSelectors()) {
            throw error(expr.position(), name + " modifier is experimental and not enabled");
        }
        return switch (expr) {
            case VectorSelector v -> withEdges(v, edges, expr.position());
            case MatrixSelector m -> m.withSelector(withEdges(m.selector(), edges, expr.position()));
            case SubqueryExpr s -> throw error(expr.position(), name + " modifier is not supported for subqueries");
            default -> throw error(expr.position(), name + " modifier not implemented");
        };
    }

    private VectorSelector withEdges(VectorSelector v, Edges edges, Position at) {
        if (v.edges() != Edges.NORMAL && v.edges() != edges) {
            throw error(at, "anchored and smoothed modifiers cannot be used together");
        }
        return new VectorSelector(v.name(), v.matchers(), v.shift(), edges, v.position());
    }

    // ---- durations

    private Expr positiveDuration() {
        Expr e = duration(0);
        // Whether more of the duration follows was only known from the next token.
        peek();
        if (e instanceof NumberLiteral n && !(n.value() > 0)) {
            throw error(n.position(), "duration must be greater than 0");
        }
        return e;
    }

    /** The one term that an offset takes; more needs parentheses. */
    private Expr offsetDuration() {
        TokenKind k = peek();
        if (k != TokenKind.ADD && k != TokenKind.SUB) {
            Expr e = durationTerm();
            if (k == TokenKind.LEFT_PAREN) {
                peek();
            }
            return e;
        }
        Position sign = take();
        TokenKind next = peek();
        if (next == TokenKind.ADD || next == TokenKind.SUB) {
            Expr e = signed(k, sign, duration(BinaryOp.MUL.precedence()));
            peek();
            return e;
        }
        Expr term = next == TokenKind.NUMBER || next == TokenKind.DURATION ? durationNumber(sign) : durationTerm();
        if (term instanceof DurationExpr && k == TokenKind.ADD && next != TokenKind.LEFT_PAREN) {
            // A plus is kept before step(), range(), min_of() and max_of() only, and only here.
            return new DurationExpr(DurationOp.ADD, null, term, false, new Position(sign.start(), term.position().end()));
        }
        return signed(k, sign, term);
    }

    private Expr duration(int floor) {
        enter();
        int outer = depth;
        Expr lhs;
        TokenKind k = peek();
        if (k == TokenKind.ADD || k == TokenKind.SUB) {
            Position sign = take();
            lhs = signed(k, sign, duration(BinaryOp.MUL.precedence()));
        } else {
            lhs = durationTerm();
        }
        while (true) {
            BinaryOp op = peek().binary;
            DurationOp durationOp = op == null ? null : switch (op) {
                case ADD -> DurationOp.ADD;
                case SUB -> DurationOp.SUB;
                case MUL -> DurationOp.MUL;
                case DIV -> DurationOp.DIV;
                case MOD -> DurationOp.MOD;
                case POW -> DurationOp.POW;
                default -> null;
            };
            if (op == null || durationOp == null || op.precedence() <= floor) {
                depth = outer - NESTED;
                return lhs;
            }
            Position at = take();
            enter();
            Expr rhs = duration(op == BinaryOp.POW ? op.precedence() - 1 : op.precedence());
            Position position = new Position(lhs.position().start(), rhs.position().end());
            requireDurations(position);
            if (rhs instanceof NumberLiteral n && n.value() == 0 && (op == BinaryOp.DIV || op == BinaryOp.MOD)) {
                throw error(at, op == BinaryOp.DIV ? "division by zero" : "modulo by zero");
            }
            lhs = new DurationExpr(durationOp, lhs, rhs, false, position);
        }
    }

    private Expr signed(TokenKind sign, Position at, Expr e) {
        Position position = new Position(at.start(), e.position().end());
        if (e instanceof NumberLiteral n) {
            return new NumberLiteral(sign == TokenKind.SUB ? -n.value() : n.value(), n.duration(), position);
        }
        requireDurations(position);
        return sign == TokenKind.ADD ? e : new DurationExpr(DurationOp.SUB, null, e, false, position);
    }

    /** A number of seconds; behind the sign of an offset a complaint is about the sign. */
    private NumberLiteral durationNumber(@Nullable Position sign) {
        NumberLiteral n = number();
        if (!(Math.abs(n.value()) <= MAX_DURATION_SECONDS)) {
            throw error(sign == null ? n.position() : sign, "duration out of range");
        }
        return n;
    }

    private Expr durationTerm() {
        TokenKind k = peek();
        switch (k) {
            case NUMBER, DURATION -> {
                return durationNumber(null);
            }
            case STEP, RANGE -> {
                Position at = take();
                expect(TokenKind.LEFT_PAREN);
                Position close = expect(TokenKind.RIGHT_PAREN);
                Position position = new Position(at.start(), close.end());
                requireDurations(position);
                return new DurationExpr(k == TokenKind.STEP ? DurationOp.STEP : DurationOp.RANGE, null, null, false, position);
            }
            case MIN_OF, MAX_OF -> {
                Position at = take();
                expect(TokenKind.LEFT_PAREN);
                Expr a = duration(0);
                expect(TokenKind.COMMA);
                Expr b = duration(0);
                Position close = expect(TokenKind.RIGHT_PAREN);
                Position position = new Position(at.start(), close.end());
                requireDurations(position);
                return new DurationExpr(k == TokenKind.MIN_OF ? DurationOp.MIN_OF : DurationOp.MAX_OF, a, b, false, position);
            }
            case LEFT_PAREN -> {
                Position open = take();
                Expr inner = duration(0);
                Position close = expect(TokenKind.RIGHT_PAREN);
                Position position = new Position(open.start(), close.end());
                requireDurations(position);
                if (inner instanceof DurationExpr d) {
                    return d.wrappedAt(d.position());
                }
                return new DurationExpr(DurationOp.ADD, null, inner, true, inner.position());
            }
            default -> throw unexpected();
        }
    }

    private void requireDurations(Position at) {
        if (!options.durationExpressions()) {
            throw error(at, "experimental duration expression is not enabled");
        }
    }
}
