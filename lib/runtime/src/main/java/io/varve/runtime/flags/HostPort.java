package io.varve.runtime.flags;

import java.net.InetSocketAddress;

/**
 * An address to listen on or to call: {@code host:port}, {@code :port} (all interfaces), {@code [v6]:port}, {@code [v4]:port}.
 *
 * @param host without brackets, "" for all interfaces
 * @param port 0 lets the system choose
 */
public record HostPort(String host, int port) {
    /**
     * Reads an address.
     *
     * @param what the flag it came from, for the message
     * @throws FlagException in Go's words where it is none
     */
    public static HostPort parse(String what, String text) {
        int colon = text.lastIndexOf(':');
        if (colon < 0) {
            throw new FlagException(what + ": address " + text + ": missing port in address");
        }
        String host = text.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) {
            host = host.substring(1, host.length() - 1);
        } else if (host.indexOf(':') >= 0) {
            throw new FlagException(what + ": address " + text + ": too many colons in address");
        }
        int port;
        try {
            port = Integer.parseInt(text.substring(colon + 1));
        } catch (NumberFormatException e) {
            port = -1;
        }
        if (port < 0 || port > 65_535) {
            throw new FlagException(what + ": address " + text + ": invalid port");
        }
        return new HostPort(host, port);
    }

    /** As a socket address; resolves the host. */
    public InetSocketAddress socketAddress() {
        return host.isEmpty() ? new InetSocketAddress(port) : new InetSocketAddress(host, port);
    }

    @Override
    public String toString() {
        return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
    }
}
