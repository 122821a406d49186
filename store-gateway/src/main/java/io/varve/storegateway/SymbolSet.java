package io.varve.storegateway;

import io.varve.model.CorruptDataException;
import io.varve.tsdb.index.Symbols;
import java.util.BitSet;
import java.util.HashSet;
import java.util.Set;

/** Some symbols of a block. One thread. */
final class SymbolSet {
    private final Symbols symbols;
    private final long limit;
    private final BitSet references = new BitSet();

    SymbolSet(Symbols symbols) {
        this.symbols = symbols;
        this.limit = Math.min(symbols.limit(), Integer.MAX_VALUE);
    }

    /** Adds a symbol by its reference, unsigned. */
    void add(int reference) {
        if ((reference & 0xFFFFFFFFL) >= limit) {
            throw new CorruptDataException("", -1, "unknown symbol " + Integer.toUnsignedString(reference));
        }
        references.set(reference);
    }

    /** Their texts. */
    Set<String> texts() {
        Set<String> out = HashSet.newHashSet(references.cardinality());
        references.stream().forEach(r -> out.add(symbols.text(r)));
        return out;
    }
}
