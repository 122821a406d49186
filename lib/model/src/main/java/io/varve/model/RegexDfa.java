package io.varve.model;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Matches whole values in time linear in their length: a deterministic automaton whose states are worked out when a value first
 * needs them and kept as long as they fit a fixed amount of memory; then it starts afresh. Safe for many threads: states are
 * made under a lock and published through final fields; a thread that does not see one yet makes the same one again.
 */
final class RegexDfa {
    /** Numbers that the states of one expression may hold: some 4 MB. */
    private static final int MAX_NUMBERS = 1 << 20;

    /** What stands before or behind a place between two characters. */
    private static final byte EDGE = 0;
    private static final byte NEWLINE = 1;
    private static final byte WORD = 2;
    private static final byte OTHER = 3;

    private static final byte UNDECIDED = 0;
    private static final byte ACCEPTS = 1;
    private static final byte REFUSES = 2;

    /** A set of places in the program. */
    private static final class State {
        /** Instructions that take a character, match, or wait for what the next character is. Sorted. */
        final int[] places;
        /** What stood before. */
        final byte before;
        /** Where nothing can match any more. */
        final boolean dead;
        /** Where everything matches from here on. */
        final boolean all;
        /** By class of character; null where not known yet. */
        final @Nullable State[] next;
        /** Whether the value may end here. */
        byte atEnd = UNDECIDED;

        State(int[] places, byte before, boolean all, int classes) {
            this.places = places;
            this.before = before;
            this.dead = places.length == 0;
            this.all = all;
            this.next = new State[classes];
        }
    }

    private record Key(int[] places, byte before) {
        @Override
        public boolean equals(Object o) {
            return o instanceof Key k && before == k.before && Arrays.equals(places, k.places);
        }

        @Override
        public int hashCode() {
            return 31 * Arrays.hashCode(places) + before;
        }
    }

    private final RegexProgram program;
    private final byte[] classKind;
    private volatile State start;

    // Guarded by this.
    private final Map<Key, State> states = new HashMap<>();
    private int numbers;
    private final int[] seen;
    private int round;
    private final int[] stack;
    private int[] found = new int[16];
    private int foundCount;

    RegexDfa(RegexProgram program) {
        this.program = program;
        classKind = new byte[program.classCount];
        for (int i = 0; i < classKind.length; i++) {
            int c = program.example[i];
            classKind[i] = !program.hasAsserts ? OTHER : c == '\n' ? NEWLINE : isWord(c) ? WORD : OTHER;
        }
        seen = new int[program.op.length];
        // Each instruction is followed once and leads to two others at most.
        stack = new int[2 * program.op.length + 1];
        synchronized (this) {
            begin();
            follow(program.start, false, OTHER, OTHER);
            start = state(program.hasAsserts ? EDGE : OTHER);
        }
    }

    private static boolean isWord(int c) {
        return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z';
    }

    boolean matches(String value) {
        State s = start;
        int n = value.length();
        char[] ascii = program.asciiClass;
        for (int i = 0; i < n; i++) {
            if (s.all) {
                return true;
            }
            if (s.dead) {
                return false;
            }
            char c = value.charAt(i);
            int k;
            if (c < 128) {
                k = ascii[c];
            } else if (Character.isHighSurrogate(c) && i + 1 < n && Character.isLowSurrogate(value.charAt(i + 1))) {
                k = program.classOf(Character.toCodePoint(c, value.charAt(++i)));
            } else {
                k = program.classOf(c);
            }
            State t = s.next[k];
            s = t == null ? step(s, k) : t;
        }
        byte end = s.atEnd;
        return (end == UNDECIDED ? end(s) : end) == ACCEPTS;
    }

    private synchronized State step(State s, int k) {
        begin();
        byte kind = classKind[k];
        for (int place : s.places) {
            follow(place, true, s.before, kind);
        }
        // What was found so far stands before the character; what takes it goes on behind it.
        int[] before = Arrays.copyOf(found, foundCount);
        begin();
        for (int place : before) {
            if (program.op[place] == RegexProgram.CHARS && program.has(program.y[place], k)) {
                follow(program.x[place], false, OTHER, OTHER);
            }
        }
        State t = state(kind);
        s.next[k] = t;
        return t;
    }

    private synchronized byte end(State s) {
        begin();
        for (int place : s.places) {
            follow(place, true, s.before, EDGE);
        }
        byte result = REFUSES;
        for (int i = 0; i < foundCount; i++) {
            if (program.op[found[i]] == RegexProgram.MATCH) {
                result = ACCEPTS;
            }
        }
        s.atEnd = result;
        return result;
    }

    private void begin() {
        round++;
        if (round == 0) {
            Arrays.fill(seen, 0);
            round = 1;
        }
        foundCount = 0;
    }

    /**
     * Adds all places that are reached without a character. Conditions are places of their own while it is not known what comes
     * next ({@code decide} false), and passed or not once it is.
     */
    private void follow(int from, boolean decide, byte before, byte after) {
        int top = 0;
        stack[top++] = from;
        while (top > 0) {
            int pc = stack[--top];
            if (seen[pc] == round) {
                continue;
            }
            seen[pc] = round;
            switch (program.op[pc]) {
                case RegexProgram.SPLIT -> {
                    top = push(program.y[pc], top);
                    top = push(program.x[pc], top);
                }
                case RegexProgram.ASSERT -> {
                    if (!decide) {
                        found(pc);
                    } else if (holds(program.y[pc], before, after)) {
                        top = push(program.x[pc], top);
                    }
                }
                default -> found(pc);
            }
        }
    }

    private int push(int pc, int top) {
        if (seen[pc] == round) {
            return top;
        }
        stack[top] = pc;
        return top + 1;
    }

    private void found(int pc) {
        if (foundCount == found.length) {
            found = Arrays.copyOf(found, 2 * foundCount);
        }
        found[foundCount++] = pc;
    }

    private static final RegexNode.Assert.Kind[] KINDS = RegexNode.Assert.Kind.values();

    private static boolean holds(int kind, byte before, byte after) {
        return switch (KINDS[kind]) {
            case BEGIN_TEXT -> before == EDGE;
            case END_TEXT -> after == EDGE;
            case BEGIN_LINE -> before == EDGE || before == NEWLINE;
            case END_LINE -> after == EDGE || after == NEWLINE;
            case WORD_BOUNDARY -> (before == WORD) != (after == WORD);
            case NO_WORD_BOUNDARY -> (before == WORD) == (after == WORD);
        };
    }

    /** The state of the places found, the known one where there is one. */
    private State state(byte before) {
        int[] places = Arrays.copyOf(found, foundCount);
        Arrays.sort(places);
        Key key = new Key(places, before);
        State s = states.get(key);
        if (s == null) {
            boolean all = false;
            for (int p : places) {
                all |= program.anything[p];
            }
            int cost = places.length + program.classCount + 16;
            if (numbers + cost > MAX_NUMBERS) {
                // Threads that stand on forgotten states go on with them; nothing else refers to those.
                states.clear();
                numbers = 0;
                State first = start;
                if (first != null) {
                    start = new State(first.places, first.before, first.all, program.classCount);
                    states.put(new Key(first.places, first.before), start);
                }
            }
            s = new State(places, before, all, program.classCount);
            states.put(key, s);
            numbers += cost;
        }
        return s;
    }
}
