package io.varve.model;

import org.jspecify.annotations.Nullable;

/** Stored bytes break a rule of their format. Names the file, the byte offset (−1 where there is none) and the rule. */
public final class CorruptDataException extends VarveException {
    private static final long serialVersionUID = 1L;
    private final String file;
    private final long offset;
    private final String rule;

    /**
     * @param file the file or object, "" where the bytes have no name yet ({@link #in} adds it)
     * @param offset bytes from the start of the file, −1 where no place can be named
     * @param rule which rule is broken: what was expected and what was found
     */
    public CorruptDataException(String file, long offset, String rule) {
        this(file, offset, rule, null);
    }

    /** As the other constructor, with the cause. */
    public CorruptDataException(String file, long offset, String rule, @Nullable Throwable cause) {
        super((file.isEmpty() ? "" : file + ": ") + (offset < 0 ? "" : "offset " + offset + ": ") + rule, cause);
        this.file = file;
        this.offset = offset;
        this.rule = rule;
    }

    /** The same fault, found {@code base} bytes into {@code file}; for codecs, which do not know where their bytes came from. */
    public CorruptDataException in(String file, long base) {
        return new CorruptDataException(file, offset < 0 ? base : base + offset, rule, this);
    }

    /** The file or object, "" if unknown. */
    public String file() {
        return file;
    }

    /** Bytes from the start of the file, −1 if unknown. */
    public long offset() {
        return offset;
    }

    /** The rule that is broken. */
    public String rule() {
        return rule;
    }
}
