package io.varve.runtime.flags;

import java.lang.reflect.Field;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.INegatableOptionTransformer;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.OverwrittenOptionException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * picocli set up to behave as kingpin: {@code --f=v}, {@code --f v}, {@code --no-f} for every boolean (with dots in the name too), flags
 * repeated only where they are lists, no {@code @file} expansion, unknown flags an error in kingpin's words.
 */
public final class FlagParser {
    private FlagParser() {
    }

    /**
     * A command line over an annotated command and all its subcommands, each with {@code --help} and {@code --version}.
     *
     * @param program how the command is called in help and messages: {@code varve sidecar}
     * @param mixins further objects with options
     */
    public static CommandLine of(String program, Object command, Object... mixins) {
        CommandLine line = new CommandLine(command);
        line.setCommandName(program);
        for (Object mixin : mixins) {
            line.getCommandSpec().addMixin(mixin.getClass().getSimpleName(), CommandSpec.forAnnotatedObject(mixin));
        }
        prepare(line);
        line.setExpandAtFiles(false);
        line.setUsageHelpWidth(120);
        line.setUsageHelpLongOptionsMaxWidth(60);
        line.setAbbreviatedOptionsAllowed(false);
        line.setCaseInsensitiveEnumValuesAllowed(false);
        return line;
    }

    /** The one line for a command line that cannot be read: {@code varve sidecar: error: unknown long flag '--x', try --help}. */
    public static String complaint(ParameterException e) {
        return e.getCommandLine().getCommandSpec().qualifiedName() + ": error: " + message(e) + ", try --help";
    }

    private static void prepare(CommandLine line) {
        CommandSpec spec = line.getCommandSpec();
        spec.negatableOptionTransformer(new KingpinNegation());
        if (spec.findOption("--help") == null) {
            spec.addMixin("help", CommandSpec.forAnnotatedObject(new HelpFlags()));
        }
        spec.versionProvider(new HelpFlags());
        spec.usageMessage()
                .customSynopsis(spec.qualifiedName() + (line.getSubcommands().isEmpty() ? " [<flags>]" : " [<flags>] <command> [<args>]"))
                .showDefaultValues(true);
        for (OptionSpec o : List.copyOf(spec.options())) {
            OptionSpec.Builder as = OptionSpec.builder(o);
            boolean bool = o.type() == boolean.class || o.type() == Boolean.class;
            if (bool && !o.usageHelp() && !o.versionHelp()) {
                as.negatable(true).fallbackValue("true");
            }
            String byDefault = o.defaultValueString();
            if (byDefault == null || byDefault.isEmpty() || byDefault.equals("[]")) {
                as.showDefaultValue(CommandLine.Help.Visibility.NEVER);
            }
            if (!bool && o.userObject() instanceof Field field && o.paramLabel().equals("<" + field.getName() + ">")) {
                as.paramLabel(label(o));
            }
            spec.remove(o);
            spec.addOption(as.build());
        }
        line.getSubcommands().values().forEach(FlagParser::prepare);
    }

    /** What stands for a flag's value in the help, where the command names nothing: the kind of value. */
    private static String label(OptionSpec option) {
        Class<?> kind = option.auxiliaryTypes()[0];
        if (kind == Duration.class) {
            return "<duration>";
        } else if (kind == Path.class) {
            return "<path>";
        } else if (kind.isEnum()) {
            return "<name>";
        }
        return kind.isPrimitive() || Number.class.isAssignableFrom(kind) ? "<number>" : "<text>";
    }

    private static String message(ParameterException e) {
        return switch (e) {
            case UnmatchedArgumentException u -> unmatched(u.getUnmatched().isEmpty() ? "" : u.getUnmatched().getFirst());
            case OverwrittenOptionException o -> "flag '" + name(o.getOverwritten()) + "' cannot be repeated";
            case MissingParameterException m when m.getMissing().size() == 1 && m.getMissing().getFirst() instanceof OptionSpec o ->
                m.getMessage() != null && m.getMessage().startsWith("Missing required option")
                        ? "required flag --" + name(o) + " not provided"
                        : "expected argument for flag '--" + name(o) + "'";
            default -> e.getArgSpec() instanceof OptionSpec o
                    ? "invalid value for flag --" + name(o) + ": " + reason(e)
                    : String.valueOf(e.getMessage());
        };
    }

    private static String reason(ParameterException e) {
        String text = e.getCause() instanceof TypeConversionException t ? t.getMessage() : e.getMessage();
        return text == null ? "cannot be read" : text;
    }

    private static String unmatched(String arg) {
        int eq = arg.indexOf('=');
        String head = eq < 0 ? arg : arg.substring(0, eq);
        if (arg.startsWith("--")) {
            return "unknown long flag '" + head + "'";
        }
        return arg.startsWith("-") ? "unknown short flag '" + head + "'" : "unexpected " + arg;
    }

    private static String name(CommandLine.Model.ArgSpec arg) {
        if (arg instanceof OptionSpec o) {
            String longest = o.longestName();
            return longest.startsWith("--") ? longest.substring(2) : longest;
        }
        return arg.paramLabel();
    }

    /** Kingpin's {@code --no-x}; picocli's own stops at the first dot. */
    private static final class KingpinNegation implements INegatableOptionTransformer {
        @Override
        public String makeNegative(String optionName, CommandSpec spec) {
            return optionName.startsWith("--") ? "--no-" + optionName.substring(2) : optionName;
        }

        @Override
        public String makeSynopsis(String optionName, CommandSpec spec) {
            return optionName.startsWith("--") ? "--[no-]" + optionName.substring(2) : optionName;
        }
    }
}
