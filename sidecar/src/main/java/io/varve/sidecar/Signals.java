package io.varve.sidecar;

import io.varve.model.UnavailableException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Sends signals that the JDK has no method for, through the C library. */
final class Signals {
    private static final int SIGHUP = 1;

    private Signals() {
    }

    /** SIGHUP to a process. */
    @SuppressWarnings("restricted")
    static void hangUp(long pid) {
        Linker linker = Linker.nativeLinker();
        MethodHandle kill = linker.downcallHandle(
                linker.defaultLookup().find("kill").orElseThrow(() -> new UnavailableException("the C library has no kill()")),
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
        int result;
        try {
            result = (int) kill.invokeExact((int) pid, SIGHUP);
        } catch (Throwable e) {
            throw new UnavailableException("signal to process " + pid + ": " + e, e);
        }
        if (result != 0) {
            throw new UnavailableException("signal to process " + pid + " was refused: is it of the same user?");
        }
    }
}
