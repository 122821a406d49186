package io.varve.querier.fanout;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import java.util.List;

/**
 * {@code storeMatch[]}: which stores are asked.
 *
 * @param selectors each a list of matchers on {@code __address__}; a store is asked when one list matches; no lists: all stores
 */
public record StoreFilter(List<List<Matcher>> selectors) {
    /** The label that stands for a store's address. */
    public static final String ADDRESS = "__address__";
    /** All stores. */
    public static final StoreFilter ALL = new StoreFilter(List.of());

    /** Whether the store at the address is asked. */
    public boolean accepts(String address) {
        if (selectors.isEmpty()) {
            return true;
        }
        Labels l = Labels.of(ADDRESS, address);
        return selectors.stream().anyMatch(s -> s.stream().allMatch(m -> m.matches(l.get(m.name()))));
    }
}
