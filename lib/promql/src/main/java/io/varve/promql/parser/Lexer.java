package io.varve.promql.parser;

import io.varve.model.GoQuote;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Cuts a query into tokens. What a character means depends on where it stands: between braces words are labels, between
 * brackets they are parts of a duration. One token at a time, only when asked, because the first error counts and a later token's
 * must not come before an earlier rule's.
 */
final class Lexer {
    private static final int END = -1;
    private static final Map<String, TokenKind> WORDS = new HashMap<>();
    static {
        for (TokenKind k : TokenKind.values()) {
            if (!k.text.isEmpty() && Character.isLetter(k.text.charAt(0)) && k.described != TokenKind.Class.NAMED && k != TokenKind.EOF) {
                WORDS.put(k.text, k);
            }
        }
        WORDS.put("inf", TokenKind.NUMBER);
        WORDS.put("nan", TokenKind.NUMBER);
    }

    /** Where the next token starts, beyond what {@link #braceOpen} and {@link #bracketOpen} say. */
    private enum Mode {
        STATEMENT, BRACES,
        /** Just after {@code [}, {@code :} or an operator between brackets: a term of a duration must follow. */
        DURATION
    }

    private final byte[] in;
    private int pos;
    private int width;
    private Mode mode = Mode.STATEMENT;
    private boolean ended;

    private int parenDepth;
    private boolean braceOpen;
    private boolean bracketOpen;
    private boolean gotColon;
    private boolean gotDuration;

    /** The current token. */
    TokenKind kind = TokenKind.EOF;
    int start;
    int end;
    /** End of the latest token that can close something: numbers and right brackets of all kinds. */
    int lastClosing;

    Lexer(byte[] in) {
        this.in = in;
    }

    /** Moves to the next token. */
    void next() {
        while (!scan()) {
            // Spaces, comments.
        }
        end = pos;
        switch (kind) {
            case RIGHT_BRACE, RIGHT_PAREN, RIGHT_BRACKET, DURATION, NUMBER -> lastClosing = end;
            default -> {
            }
        }
    }

    /** The token's text. */
    String text() {
        return Utf8.text(in, start, end);
    }

    /** How errors name the token. */
    String describe() {
        String text = text();
        return switch (kind.described) {
            case END -> kind.text;
            case OPERATOR -> "<op:" + text + ">";
            case AGGREGATE -> "<aggr:" + text + ">";
            case KEYWORD -> "<" + text + ">";
            case FIXED -> shortened(text);
            case NAMED ->
                kind.text + " "
                        + (kind == TokenKind.IDENTIFIER || kind == TokenKind.METRIC_IDENTIFIER ? GoQuote.quote(text) : shortened(text));
        };
    }

    private String shortened(String text) {
        if (end - start <= 10) {
            return GoQuote.quote(text);
        }
        int cut = text.offsetByCodePoints(0, Math.min(10, text.codePointCount(0, text.length())));
        return GoQuote.quote(text.substring(0, cut)) + "...";
    }

    /**
     * The end of the right parenthesis before the current one, where only space is between: the end of what was complete before the
     * parser had to look one token further.
     */
    int previousRightParen() {
        if (kind != TokenKind.RIGHT_PAREN || start <= 0) {
            return lastClosing;
        }
        for (int i = start - 1; i > 0; i--) {
            if (in[i] == ')') {
                return i + 1;
            }
            if (!isSpace(in[i])) {
                return lastClosing;
            }
        }
        return lastClosing;
    }

    // ---- scanning

    private int read() {
        if (pos >= in.length) {
            width = 0;
            return END;
        }
        long d = Utf8.decode(in, pos, in.length);
        width = (int) (d >>> 32);
        pos += width;
        return (int) d;
    }

    private int peek() {
        return pos >= in.length ? END : (int) Utf8.decode(in, pos, in.length);
    }

    private boolean accept(String valid) {
        int c = peek();
        if (c >= 0 && c < 0x80 && valid.indexOf(c) >= 0) {
            pos++;
            return true;
        }
        return false;
    }

    private boolean emit(TokenKind k) {
        kind = k;
        return true;
    }

    private ParseException fail(String message) {
        return failAt(start, message);
    }

    private ParseException failAt(int at, String message) {
        return ParseException.at(in, new Position(at, in.length), message);
    }

    private boolean scan() {
        if (ended) {
            start = pos;
            return emit(TokenKind.EOF);
        }
        start = pos;
        return switch (mode) {
            case STATEMENT -> braceOpen ? scanBraces() : scanStatement();
            case BRACES -> scanBraces();
            case DURATION -> scanDuration();
        };
    }

    private boolean scanStatement() {
        if (pos < in.length && in[pos] == '#') {
            return skipComment();
        }
        int c = read();
        switch (c) {
            case END -> {
                if (parenDepth != 0) {
                    throw fail("unclosed left parenthesis");
                }
                if (bracketOpen) {
                    throw fail("unclosed left bracket");
                }
                ended = true;
                return emit(TokenKind.EOF);
            }
            case ' ', '\t', '\n', '\r' -> {
                return false;
            }
            case ',' -> {
                return emit(TokenKind.COMMA);
            }
            case '*' -> {
                return emit(TokenKind.MUL);
            }
            case '/' -> {
                return emit(TokenKind.DIV);
            }
            case '%' -> {
                return emit(TokenKind.MOD);
            }
            case '+' -> {
                return emit(TokenKind.ADD);
            }
            case '-' -> {
                return emit(TokenKind.SUB);
            }
            case '^' -> {
                return emit(TokenKind.POW);
            }
            case '=' -> {
                if (accept("=")) {
                    return emit(TokenKind.EQLC);
                }
                if (peek() == '~') {
                    throw fail("unexpected character after '=': '~'");
                }
                return emit(TokenKind.EQL);
            }
            case '!' -> {
                if (accept("=")) {
                    return emit(TokenKind.NEQ);
                }
                throw fail("unexpected character after '!': " + GoQuote.rune(peek()));
            }
            case '<' -> {
                return emit(accept("=") ? TokenKind.LTE : accept("/") ? TokenKind.TRIM_UPPER : TokenKind.LSS);
            }
            case '>' -> {
                return emit(accept("=") ? TokenKind.GTE : accept("/") ? TokenKind.TRIM_LOWER : TokenKind.GTR);
            }
            case '"', '\'' -> {
                return scanString(c);
            }
            case '`' -> {
                return scanRawString();
            }
            case '(' -> {
                parenDepth++;
                return emit(TokenKind.LEFT_PAREN);
            }
            case ')' -> {
                return rightParen();
            }
            case '{' -> {
                braceOpen = true;
                mode = Mode.BRACES;
                return emit(TokenKind.LEFT_BRACE);
            }
            case '[' -> {
                if (bracketOpen) {
                    throw fail("unexpected left bracket '['");
                }
                gotColon = false;
                bracketOpen = true;
                mode = Mode.DURATION;
                return emit(TokenKind.LEFT_BRACKET);
            }
            case ']' -> {
                if (!bracketOpen) {
                    throw fail("unexpected right bracket ']'");
                }
                bracketOpen = false;
                return emit(TokenKind.RIGHT_BRACKET);
            }
            case '@' -> {
                return emit(TokenKind.AT);
            }
            default -> {
                return scanOther(c);
            }
        }
    }

    private boolean scanOther(int c) {
        if (isDigit(c) || c == '.' && isDigit(peek())) {
            pos = start;
            return scanNumberOrDuration();
        }
        if (!isAlpha(c) && c != ':') {
            throw fail("unexpected character: " + GoQuote.rune(c));
        }
        if (!bracketOpen) {
            pos = start;
            return scanWord();
        }
        if (c == ':') {
            if (gotColon) {
                throw fail("unexpected colon ':'");
            }
            gotColon = true;
            return emit(TokenKind.COLON);
        }
        if ("sSmMrR".indexOf(c) >= 0 && scanDurationWord()) {
            return true;
        }
        throw fail("unexpected character: " + GoQuote.rune(c) + ", expected ':'");
    }

    private boolean scanDuration() {
        int c = read();
        switch (c) {
            case END -> throw fail("unexpected end of input in duration expression");
            case ' ', '\t', '\n', '\r' -> {
                return false;
            }
            case ']' -> {
                bracketOpen = false;
                gotColon = false;
                mode = Mode.STATEMENT;
                return emit(TokenKind.RIGHT_BRACKET);
            }
            case ':' -> {
                if (!gotDuration) {
                    throw failAt(pos, "unexpected colon before duration in duration expression");
                }
                if (gotColon) {
                    throw failAt(pos, "unexpected repeated colon in duration expression");
                }
                gotColon = true;
                return emit(TokenKind.COLON);
            }
            case '(' -> {
                parenDepth++;
                return emit(TokenKind.LEFT_PAREN);
            }
            case ')' -> {
                return rightParen();
            }
            case '+' -> {
                return emit(TokenKind.ADD);
            }
            case '-' -> {
                return emit(TokenKind.SUB);
            }
            case '*' -> {
                return emit(TokenKind.MUL);
            }
            case '/' -> {
                return emit(TokenKind.DIV);
            }
            case '%' -> {
                return emit(TokenKind.MOD);
            }
            case '^' -> {
                return emit(TokenKind.POW);
            }
            case ',' -> {
                return emit(TokenKind.COMMA);
            }
            default -> {
                if (isDigit(c) || c == '.' && isDigit(peek())) {
                    pos = start;
                    gotDuration = true;
                    mode = Mode.STATEMENT;
                    return scanNumberOrDuration();
                }
                if (c < 0x80 && "sSmMrR".indexOf(c) >= 0 && scanDurationWord()) {
                    return true;
                }
                throw fail("unexpected character in duration expression: " + GoQuote.rune(c));
            }
        }
    }

    private boolean rightParen() {
        parenDepth--;
        if (parenDepth < 0) {
            throw failAt(pos, "unexpected right parenthesis ')'");
        }
        return emit(TokenKind.RIGHT_PAREN);
    }

    private boolean scanBraces() {
        if (pos < in.length && in[pos] == '#') {
            return skipComment();
        }
        int c = read();
        switch (c) {
            case END -> throw fail("unexpected end of input inside braces");
            case ' ', '\t', '\n', '\r' -> {
                return false;
            }
            case ',' -> {
                return emit(TokenKind.COMMA);
            }
            case '"', '\'' -> {
                return scanString(c);
            }
            case '`' -> {
                return scanRawString();
            }
            case '=' -> {
                return emit(accept("~") ? TokenKind.EQL_REGEX : TokenKind.EQL);
            }
            case '!' -> {
                if (accept("~")) {
                    return emit(TokenKind.NEQ_REGEX);
                }
                if (accept("=")) {
                    return emit(TokenKind.NEQ);
                }
                throw fail("unexpected character after '!' inside braces: " + GoQuote.rune(peek()));
            }
            case '{' -> throw fail("unexpected left brace '{'");
            case '}' -> {
                braceOpen = false;
                mode = Mode.STATEMENT;
                return emit(TokenKind.RIGHT_BRACE);
            }
            default -> {
                if (!isAlpha(c)) {
                    throw fail("unexpected character inside braces: " + GoQuote.rune(c));
                }
                while (isAlphaNumeric(peek())) {
                    pos++;
                }
                return emit(TokenKind.IDENTIFIER);
            }
        }
    }

    private boolean skipComment() {
        while (pos < in.length && in[pos] != '\n' && in[pos] != '\r') {
            pos++;
        }
        return false;
    }

    private boolean scanWord() {
        while (isAlphaNumeric(peek()) || peek() == ':') {
            pos++;
        }
        String word = Utf8.text(in, start, pos);
        TokenKind k = WORDS.get(word.toLowerCase(Locale.ROOT));
        if (k == TokenKind.FILL || k == TokenKind.FILL_LEFT || k == TokenKind.FILL_RIGHT) {
            // Metrics of that name must go on working: only before a parenthesis is it the modifier.
            int i = pos;
            while (i < in.length && isSpace(in[i])) {
                i++;
            }
            return emit(i < in.length && in[i] == '(' ? k : TokenKind.IDENTIFIER);
        }
        if (k != null) {
            return emit(k);
        }
        return emit(word.indexOf(':') < 0 ? TokenKind.IDENTIFIER : TokenKind.METRIC_IDENTIFIER);
    }

    private boolean scanDurationWord() {
        while (isAlpha(peek())) {
            pos++;
        }
        TokenKind k = switch (Utf8.text(in, start, pos).toLowerCase(Locale.ROOT)) {
            case "step" -> TokenKind.STEP;
            case "range" -> TokenKind.RANGE;
            case "min_of" -> TokenKind.MIN_OF;
            case "max_of" -> TokenKind.MAX_OF;
            default -> TokenKind.EOF;
        };
        if (k == TokenKind.EOF) {
            return false;
        }
        return emit(k);
    }

    private boolean scanNumberOrDuration() {
        if (scanNumber()) {
            return emit(TokenKind.NUMBER);
        }
        if (acceptRestOfDuration()) {
            return emit(TokenKind.DURATION);
        }
        throw fail("bad number or duration syntax: " + GoQuote.quote(Utf8.text(in, start, pos)));
    }

    /** Whether what follows the digits of {@link #scanNumber} makes them a duration; whether its units are right is seen later. */
    private boolean acceptRestOfDuration() {
        if (!accept("smhdwy")) {
            return false;
        }
        accept("s");
        while (accept("0123456789")) {
            while (accept("0123456789")) {
                // All digits.
            }
            if (!accept("smhdw")) {
                return false;
            }
            accept("s");
        }
        if (isAlphaNumeric(peek())) {
            read();
            return false;
        }
        return true;
    }

    private boolean scanNumber() {
        String digits = "0123456789";
        boolean hex = false;
        if (accept("0") && accept("xX")) {
            accept("_");
            digits = "0123456789abcdefABCDEF";
            hex = true;
        }
        accept(".");
        accept(digits);
        boolean dot = false;
        boolean exponent = false;
        String any = digits + "._eE";
        for (int c = peek(); c >= 0 && c < 0x80 && any.indexOf(c) >= 0; c = peek()) {
            if (c == '.') {
                pos++;
                if (dot) {
                    return false;
                }
                dot = true;
                if (accept("_.") || hex) {
                    return false;
                }
            } else if (c == 'e' || c == 'E') {
                pos++;
                if (exponent) {
                    return false;
                }
                exponent = true;
                accept("+-");
                if (accept("._eE") || peek() == END) {
                    return false;
                }
            } else if (c == '_') {
                pos++;
                if (accept("._eE") || peek() == END) {
                    return false;
                }
            } else {
                while (accept(digits)) {
                    // All digits.
                }
            }
        }
        return pos > start && !isAlphaNumeric(peek());
    }

    private boolean scanString(int quote) {
        while (true) {
            int c = read();
            if (c == '\\') {
                scanEscape(quote);
            } else if (c == Utf8.ERROR) {
                throw fail("invalid UTF-8 rune");
            } else if (c == END || c == '\n') {
                throw fail("unterminated quoted string");
            } else if (c == quote) {
                return emit(TokenKind.STRING);
            }
        }
    }

    private boolean scanRawString() {
        while (true) {
            int c = read();
            if (c == Utf8.ERROR) {
                throw fail("invalid UTF-8 rune");
            } else if (c == END) {
                throw fail("unterminated raw string");
            } else if (c == '`') {
                return emit(TokenKind.STRING);
            }
        }
    }

    private void scanEscape(int quote) {
        int c = read();
        int count;
        int base = 16;
        int max = 0x10ffff;
        if (c == quote) {
            return;
        }
        switch (c) {
            case 'a', 'b', 'f', 'n', 'r', 't', 'v', '\\' -> {
                return;
            }
            case '0', '1', '2', '3', '4', '5', '6', '7' -> {
                count = 3;
                base = 8;
                max = 255;
            }
            case 'x' -> {
                c = read();
                count = 2;
                max = 255;
            }
            case 'u' -> {
                c = read();
                count = 4;
            }
            case 'U' -> {
                c = read();
                count = 8;
            }
            case END -> throw fail("escape sequence not terminated");
            default -> throw fail("unknown escape sequence " + GoQuote.unicode(c));
        }
        long x = 0;
        while (true) {
            int digit = c < 0x80 ? Character.digit(c, 16) : -1;
            if (digit < 0 || digit >= base) {
                throw fail(c == END ? "escape sequence not terminated" : "illegal character " + GoQuote.unicode(c) + " in escape sequence");
            }
            x = x * base + digit;
            if (--count == 0) {
                break;
            }
            c = read();
        }
        if (x > max || x >= 0xd800 && x < 0xe000) {
            throw fail("escape sequence is an invalid Unicode code point");
        }
    }

    /** The text that a string token stands for; its escapes were checked when it was scanned. */
    static String unquote(byte[] in, int from, int to) {
        if (in[from] == '`') {
            return Utf8.text(in, from + 1, to - 1);
        }
        byte[] out = new byte[to - from];
        int n = 0;
        for (int i = from + 1; i < to - 1; i++) {
            if (in[i] != '\\') {
                out[n++] = in[i];
                continue;
            }
            i++;
            int c = in[i];
            switch (c) {
                case 'a' -> out[n++] = 7;
                case 'b' -> out[n++] = '\b';
                case 'f' -> out[n++] = '\f';
                case 'n' -> out[n++] = '\n';
                case 'r' -> out[n++] = '\r';
                case 't' -> out[n++] = '\t';
                case 'v' -> out[n++] = 11;
                case 'x' -> {
                    out[n++] = (byte) number(in, i + 1, 2, 16);
                    i += 2;
                }
                case 'u', 'U' -> {
                    int digits = c == 'u' ? 4 : 8;
                    for (byte b : Utf8.bytes(Character.toString(number(in, i + 1, digits, 16)))) {
                        out[n++] = b;
                    }
                    i += digits;
                }
                case '0', '1', '2', '3', '4', '5', '6', '7' -> {
                    out[n++] = (byte) number(in, i, 3, 8);
                    i += 2;
                }
                default -> out[n++] = (byte) c;
            }
        }
        return Utf8.text(out, 0, n);
    }

    private static int number(byte[] in, int from, int digits, int base) {
        int x = 0;
        for (int i = from; i < from + digits; i++) {
            x = x * base + Character.digit(in[i], base);
        }
        return x;
    }

    static boolean isSpace(int c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
    }

    private static boolean isDigit(int c) {
        return c >= '0' && c <= '9';
    }

    private static boolean isAlpha(int c) {
        return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
    }

    private static boolean isAlphaNumeric(int c) {
        return isAlpha(c) || isDigit(c);
    }
}
