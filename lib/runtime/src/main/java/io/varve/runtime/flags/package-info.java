/**
 * Flags as Thanos has them: kingpin's spelling and messages over picocli. {@link io.varve.runtime.flags.FlagParser} reads a command
 * line into the fields of an annotated command; the converters ({@link io.varve.runtime.flags.GoDuration},
 * {@link io.varve.runtime.flags.PrometheusDuration}, {@link io.varve.runtime.flags.ByteSize}, {@link io.varve.runtime.flags.TimeOrDuration})
 * read values; the mixins ({@link io.varve.runtime.flags.GlobalFlags} and so on) are the groups that several commands share;
 * {@link io.varve.runtime.flags.PathOrContent} is a pair of flags of which one names a file and the other holds its content.
 */
@NullMarked
package io.varve.runtime.flags;

import org.jspecify.annotations.NullMarked;
