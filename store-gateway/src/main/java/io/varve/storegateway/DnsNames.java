package io.varve.storegateway;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Hashtable;
import java.util.List;
import java.util.TreeSet;
import javax.naming.NamingEnumeration;
import javax.naming.NamingException;
import javax.naming.directory.Attribute;
import javax.naming.directory.InitialDirContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Addresses with Thanos' prefixes: {@code dns+} (A, AAAA), {@code dnssrv+} (SRV, then A), {@code dnssrvnoa+} (SRV names as they are). */
final class DnsNames {
    private static final Logger LOG = LoggerFactory.getLogger(DnsNames.class);

    private DnsNames() {
    }

    /** host:port of all, sorted; names that cannot be resolved are left out and logged. */
    static List<String> resolve(List<String> addresses) {
        TreeSet<String> out = new TreeSet<>();
        for (String a : addresses) {
            try {
                if (a.startsWith("dns+")) {
                    hosts(a.substring(4), out);
                } else if (a.startsWith("dnssrv+")) {
                    for (String s : services(a.substring(7))) {
                        hosts(s, out);
                    }
                } else if (a.startsWith("dnssrvnoa+")) {
                    out.addAll(services(a.substring(10)));
                } else {
                    out.add(a);
                }
            } catch (UnknownHostException | NamingException e) {
                LOG.atWarn().addKeyValue("address", a).addKeyValue("err", e.toString()).log("address cannot be resolved");
            }
        }
        return List.copyOf(out);
    }

    private static void hosts(String address, TreeSet<String> out) throws UnknownHostException {
        int colon = address.lastIndexOf(':');
        String port = address.substring(colon + 1);
        for (InetAddress i : InetAddress.getAllByName(address.substring(0, colon))) {
            String host = i.getHostAddress();
            out.add((host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port);
        }
    }

    /** SRV records are read as text; nothing that a server sends is looked up or deserialized. */
    @SuppressWarnings("BanJNDI")
    private static List<String> services(String name) throws NamingException {
        Hashtable<String, String> env = new Hashtable<>();
        env.put("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory");
        env.put("com.sun.jndi.dns.timeout.initial", "2000");
        InitialDirContext context = new InitialDirContext(env);
        try {
            TreeSet<String> out = new TreeSet<>();
            Attribute srv = context.getAttributes(name, new String[]{"SRV"}).get("SRV");
            if (srv == null) {
                return List.of();
            }
            NamingEnumeration<?> all = srv.getAll();
            while (all.hasMore()) {
                // priority weight port target
                String[] parts = String.valueOf(all.next()).split(" ", -1);
                if (parts.length == 4) {
                    String host = parts[3].endsWith(".") ? parts[3].substring(0, parts[3].length() - 1) : parts[3];
                    out.add(host + ":" + parts[2]);
                }
            }
            return List.copyOf(out);
        } finally {
            context.close();
        }
    }
}
