package io.varve.promql.parser;

import java.util.List;

/**
 * What a function takes and gives.
 *
 * @param name as written
 * @param argTypes types of the arguments; surplus ones have the type of the last
 * @param variadic 0: exactly {@code argTypes.size()} arguments; n &gt; 0: from one less than that to n − 1 more; −1: one less or any more
 * @param returnType what it gives
 * @param experimental whether it must be enabled
 */
public record FunctionSignature(String name, List<ValueType> argTypes, int variadic, ValueType returnType, boolean experimental) {
    /** The fewest arguments. */
    public int minArgs() {
        return variadic == 0 ? argTypes.size() : argTypes.size() - 1;
    }

    /** The most arguments, {@link Integer#MAX_VALUE} where there is no limit. */
    public int maxArgs() {
        return variadic < 0 ? Integer.MAX_VALUE : argTypes.size() + Math.max(0, variadic - 1);
    }

    /** The type of the argument at {@code index}. */
    public ValueType argType(int index) {
        return argTypes.get(Math.min(index, argTypes.size() - 1));
    }
}
