package io.varve.querier.fanout;

import io.varve.model.InvalidRequestException;
import io.varve.model.UnavailableException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Hashtable;
import java.util.List;
import java.util.TreeSet;
import javax.naming.NamingEnumeration;
import javax.naming.NamingException;
import javax.naming.directory.Attribute;
import javax.naming.directory.InitialDirContext;

/**
 * Addresses with a DNS prefix, as Thanos has them: {@code dns+host:port} (addresses of a name), {@code dnssrv+name} (SRV, then addresses),
 * {@code dnssrvnoa+name} (SRV alone), {@code dnsdualstack+host:port} (IPv4 and IPv6).
 */
public interface Dns {
    /** The system's resolver. */
    Dns SYSTEM = new Dns() {
        @Override
        public List<String> addresses(String host) {
            try {
                List<String> out = new ArrayList<>();
                for (InetAddress a : InetAddress.getAllByName(host)) {
                    out.add(a.getHostAddress());
                }
                return out;
            } catch (UnknownHostException e) {
                throw new UnavailableException("lookup IP addresses \"" + host + "\": no such host", e);
            }
        }

        @Override
        @SuppressWarnings("BanJNDI") // the JDK's only look-up of SRV records; the DNS provider makes no objects of what it reads
        public List<String> services(String name) {
            Hashtable<String, String> env = new Hashtable<>();
            env.put("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory");
            env.put("com.sun.jndi.dns.timeout.initial", "2000");
            env.put("com.sun.jndi.dns.timeout.retries", "2");
            try {
                InitialDirContext context = new InitialDirContext(env);
                try {
                    Attribute srv = context.getAttributes("dns:/" + name, new String[]{"SRV"}).get("SRV");
                    List<String> out = new ArrayList<>();
                    if (srv != null) {
                        NamingEnumeration<?> all = srv.getAll();
                        while (all.hasMore()) {
                            String[] f = String.valueOf(all.next()).split(" "); // priority weight port target
                            String host = f[3].endsWith(".") ? f[3].substring(0, f[3].length() - 1) : f[3];
                            out.add(host + ":" + f[2]);
                        }
                    }
                    return out;
                } finally {
                    context.close();
                }
            } catch (NamingException e) {
                throw new UnavailableException("lookup SRV records \"" + name + "\": " + e.getMessage(), e);
            }
        }
    };

    /** The addresses of a host. */
    List<String> addresses(String host);

    /** host:port of each server of a service. */
    List<String> services(String name);

    /** Whether the address has a prefix that asks for a look-up. */
    static boolean isDynamic(String address) {
        return address.startsWith("dns+") || address.startsWith("dnssrv+") || address.startsWith("dnssrvnoa+")
                || address.startsWith("dnsdualstack+");
    }

    /**
     * Looks an address with a prefix up.
     *
     * @throws UnavailableException where the name server does not know or answer
     */
    default List<String> resolve(String address) {
        int plus = address.indexOf('+');
        String kind = address.substring(0, plus);
        String name = address.substring(plus + 1);
        TreeSet<String> out = new TreeSet<>();
        switch (kind) {
            case "dns", "dnsdualstack" -> {
                int colon = name.lastIndexOf(':');
                if (colon < 0) {
                    throw new InvalidRequestException("missing port in address given for dns lookup: " + name);
                }
                for (String a : addresses(name.substring(0, colon))) {
                    out.add(join(a, name.substring(colon + 1)));
                }
            }
            case "dnssrvnoa" -> out.addAll(services(name));
            default -> {
                for (String s : services(name)) {
                    int colon = s.lastIndexOf(':');
                    for (String a : addresses(s.substring(0, colon))) {
                        out.add(join(a, s.substring(colon + 1)));
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
