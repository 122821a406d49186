package io.varve.dist;

import java.io.IOException;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassElement;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeTransform;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Collections;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * Gives classes of a jar that were compiled for Java 5 the form of Java 8: with stack maps. A JVM does not keep classes without them in its AOT cache, so that
 * every start would read them from the jar and verify them in the old way, which for a command line parser of 200 classes is a fifth of what a
 * process does before it begins its work. A step of the build; jars without such classes stay as they are.
 */
final class StackMaps {
    /** The first version whose classes are kept in a cache. */
    private static final int KEPT = 50;
    private static final String NOTE = "META-INF/STACK-MAPS.txt";

    private StackMaps() {
    }

    /** Rewrites the jars named. */
    public static void main(String[] jars) throws IOException {
        for (String jar : jars) {
            Path file = Path.of(jar);
            if (hasOld(file)) {
                rewrite(file);
            }
        }
    }

    private static boolean hasOld(Path jar) throws IOException {
        try (ZipFile zip = new ZipFile(jar.toFile())) {
            for (ZipEntry entry : Collections.list(zip.entries())) {
                if (entry.getName().endsWith(".class") && isOld(zip.getInputStream(entry).readNBytes(8))) {
                    return true;
                }
            }
            return false;
        }
    }

    private static boolean isOld(byte[] bytes) {
        return bytes.length >= 8 && ((bytes[6] & 0xFF) << 8 | bytes[7] & 0xFF) < KEPT;
    }

    private static void rewrite(Path jar) throws IOException {
        Path next = jar.resolveSibling(jar.getFileName() + ".tmp");
        try (ZipFile zip = new ZipFile(jar.toFile());
                URLClassLoader loader = new URLClassLoader(new URL[]{jar.toUri().toURL()}, ClassLoader.getPlatformClassLoader());
                ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(next))) {
            ClassFile classes = ClassFile.of(ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
                    ClassFile.ClassHierarchyResolverOption.of(ClassHierarchyResolver.ofResourceParsing(loader)));
            long time = 0;
            for (ZipEntry entry : Collections.list(zip.entries())) {
                byte[] bytes = zip.getInputStream(entry).readAllBytes();
                time = entry.getTime();
                put(out, entry.getName(), time, entry.getName().endsWith(".class") && isOld(bytes) ? current(classes, bytes) : bytes);
            }
            put(out, NOTE, time, """
                    Class files in this jar that were made for Java 5 have been given the form of Java 8 (stack maps) by varve's build.
                    Nothing else was changed.
                    """.getBytes(StandardCharsets.UTF_8));
        }
        Files.move(next, jar, StandardCopyOption.REPLACE_EXISTING);
    }

    private static void put(ZipOutputStream out, String name, long time, byte[] bytes) throws IOException {
        ZipEntry entry = new ZipEntry(name);
        entry.setTime(time);
        out.putNextEntry(entry);
        out.write(bytes);
        out.closeEntry();
    }

    private static byte[] current(ClassFile classes, byte[] bytes) {
        byte[] out = classes.transformClass(classes.parse(bytes),
                new Java8().andThen(ClassTransform.transformingMethodBodies(CodeTransform.ACCEPT_ALL)));
        classes.verify(out).stream().findFirst().ifPresent(e -> {
            throw new IllegalStateException("a class that does not verify", e);
        });
        return out;
    }

    private static final class Java8 implements ClassTransform {
        @Override
        public void accept(ClassBuilder builder, ClassElement element) {
            if (!(element instanceof ClassFileVersion)) {
                builder.with(element);
            }
        }

        @Override
        public void atEnd(ClassBuilder builder) {
            builder.withVersion(ClassFile.JAVA_8_VERSION, 0);
        }
    }
}
