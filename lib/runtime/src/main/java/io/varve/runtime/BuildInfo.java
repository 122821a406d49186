package io.varve.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/**
 * Which build this is.
 *
 * @param version of varve
 * @param revision of its sources, "unknown" outside a release
 * @param branch of its sources, "unknown" outside a release
 */
public record BuildInfo(String version, String revision, String branch) {
    /** The version of Thanos whose behaviour and interfaces this build has. */
    public static final String THANOS_VERSION = "0.42.4";

    private static final BuildInfo CURRENT = load();

    /** This build. */
    public static BuildInfo current() {
        return CURRENT;
    }

    /** One line for {@code --version}. */
    public String describe() {
        return "varve, version " + version + " (branch: " + branch + ", revision: " + revision + ", java: " + Runtime.version()
                + ", thanos: " + THANOS_VERSION + ")";
    }

    private static BuildInfo load() {
        Properties p = new Properties();
        try (InputStream in = BuildInfo.class.getResourceAsStream("build.properties")) {
            if (in != null) {
                p.load(in);
            }
        } catch (IOException e) {
            // The build runs as well without knowing its name.
        }
        return new BuildInfo(p.getProperty("version", "unknown"), p.getProperty("revision", "unknown"), p.getProperty("branch", "unknown"));
    }
}
