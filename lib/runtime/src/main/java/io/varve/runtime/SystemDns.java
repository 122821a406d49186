package io.varve.runtime;

import io.varve.model.UnavailableException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Hashtable;
import java.util.List;
import javax.naming.NameNotFoundException;
import javax.naming.NamingEnumeration;
import javax.naming.NamingException;
import javax.naming.directory.Attribute;
import javax.naming.directory.InitialDirContext;

/** Hosts through the platform's resolver, services through the JDK's DNS client. */
final class SystemDns implements Dns {
    private final String server;

    /**
     * @param server {@code dns:/} for the servers that the system is configured with, {@code dns://host:port/} for one
     */
    SystemDns(String server) {
        this.server = server;
    }

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
                Attribute srv = context.getAttributes(server + name, new String[]{"SRV"}).get("SRV");
                List<String> out = new ArrayList<>();
                if (srv != null) {
                    NamingEnumeration<?> all = srv.getAll();
                    while (all.hasMore()) {
                        // priority weight port target
                        String[] f = String.valueOf(all.next()).split(" ", -1);
                        if (f.length != 4) {
                            throw new UnavailableException("lookup SRV records \"" + name + "\": the record \"" + String.join(" ", f)
                                    + "\" cannot be read");
                        }
                        out.add((f[3].endsWith(".") ? f[3].substring(0, f[3].length() - 1) : f[3]) + ":" + f[2]);
                    }
                }
                return out;
            } finally {
                context.close();
            }
        } catch (NameNotFoundException e) {
            throw new UnavailableException("lookup SRV records \"" + name + "\": no such host", e);
        } catch (NamingException e) {
            throw new UnavailableException("lookup SRV records \"" + name + "\": " + e.getMessage(), e);
        }
    }
}
