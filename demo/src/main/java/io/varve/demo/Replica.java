package io.varve.demo;

import io.varve.model.Labels;

/**
 * One of the two Prometheus replicas: its name, when within a minute it scrapes, and when it missed scrapes.
 *
 * @param name value of the {@code replica} label
 * @param offsetMillis how long after the full interval it scrapes; never on a whole second, so that Prometheus 2 (closed windows) and
 *        3 (left-open windows) see the same samples
 */
record Replica(String name, long offsetMillis) {
    static final Replica A = new Replica("a", 3_217);
    static final Replica B = new Replica("b", 11_804);

    /** External labels of the replica's Prometheus. */
    Labels externalLabels() {
        return Labels.of("cluster", "demo", "replica", name);
    }

    /** Whether the scrape at that time did not happen: an hour a day and a few minutes in between, the replicas at different times. */
    boolean missed(long timeMillis) {
        long minute = timeMillis / 60_000;
        boolean a = name.equals("a");
        long ofDay = minute % 1440;
        boolean outage = a ? ofDay >= 181 && ofDay < 241 : ofDay >= 902 && ofDay < 947;
        boolean hiccup = a ? minute % 97 < 3 : minute % 89 < 2 && minute % 97 >= 8;
        return outage || hiccup;
    }
}
