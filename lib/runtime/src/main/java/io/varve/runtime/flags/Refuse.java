package io.varve.runtime.flags;

import java.util.Collection;
import org.jspecify.annotations.Nullable;

/** Refuses by name what this build cannot honour, so that no flag is read and then ignored. */
public final class Refuse {
    private Refuse() {
    }

    /**
     * Refuses a flag that was set.
     *
     * @param flag its name without dashes
     * @param value what was given; null, "", false and empty collections count as not set
     * @param reason why it cannot be honoured, completing the sentence "…: "
     * @throws FlagException where it was set
     */
    public static void ifSet(String flag, @Nullable Object value, String reason) {
        boolean unset = value == null || value.equals(Boolean.FALSE) || value instanceof CharSequence s && s.isEmpty()
                || value instanceof Collection<?> c && c.isEmpty() || value instanceof PathOrContent p && !p.isSet();
        if (!unset) {
            throw new FlagException("flag --" + flag + " is not supported: " + reason);
        }
    }
}
