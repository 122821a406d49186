package io.varve.runtime;

import io.varve.model.InvalidRequestException;
import io.varve.model.UnavailableException;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * Addresses with a DNS prefix, as Thanos has them: {@code dns+host:port} (addresses of a name), {@code dnssrv+name} (SRV, then addresses),
 * {@code dnssrvnoa+name} (SRV alone), {@code dnsdualstack+host:port} (IPv4 and IPv6). An SRV name may end in {@code :port}, which then stands
 * in for the ports of the records. Safe for many threads.
 */
public interface Dns {
    /** The system's resolver. */
    Dns SYSTEM = new SystemDns("dns:/");

    /**
     * The addresses of a host.
     *
     * @throws UnavailableException where there are none or the name server does not answer
     */
    List<String> addresses(String host);

    /**
     * host:port of each server of a service; empty where nobody offers it.
     *
     * @throws UnavailableException where the name server does not know the name or does not answer
     */
    List<String> services(String name);

    /** Whether the address has a prefix that asks for a look-up. */
    static boolean isDynamic(String address) {
        return address.startsWith("dns+") || address.startsWith("dnssrv+") || address.startsWith("dnssrvnoa+")
                || address.startsWith("dnsdualstack+");
    }

    /**
     * Looks an address with a prefix up: host:port of all, sorted, each once.
     *
     * @throws UnavailableException where the name server does not know or answer
     * @throws InvalidRequestException where a port is missing
     */
    default List<String> resolve(String address) {
        int plus = address.indexOf('+');
        String kind = address.substring(0, plus);
        String name = address.substring(plus + 1);
        int colon = name.lastIndexOf(':');
        String host = colon < 0 ? name : name.substring(0, colon);
        String port = colon < 0 ? "" : name.substring(colon + 1);
        TreeSet<String> out = new TreeSet<>();
        switch (kind) {
            case "dns", "dnsdualstack" -> {
                if (port.isEmpty()) {
                    throw new InvalidRequestException("missing port in address given for dns lookup: " + name);
                }
                addresses(host).forEach(a -> out.add(join(a, port)));
            }
            default -> {
                for (String s : services(host)) {
                    int end = s.lastIndexOf(':');
                    String target = s.substring(0, end);
                    String at = port.isEmpty() ? s.substring(end + 1) : port;
                    if (kind.equals("dnssrvnoa")) {
                        out.add(join(target, at));
                    } else {
                        addresses(target).forEach(a -> out.add(join(a, at)));
                    }
                }
            }
        }
        return new ArrayList<>(out);
    }

    private static String join(String address, String port) {
        return (address.indexOf(':') >= 0 ? "[" + address + "]" : address) + ":" + port;
    }
}
