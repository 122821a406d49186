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

    /**
     * Whether the scrape at that time of the history did not happen: most of an hour a day and a few minutes in between, the replicas at
     * different times. The long outages end an hour before their block does: whenever the demo is started, the last hour is whole in each
     * replica, so that it has no hole when the other one is stopped.
     */
    boolean missed(long timeMillis) {
        long ofDay = timeMillis / 60_000 % 1440;
        boolean outage = name.equals("a") ? ofDay >= 120 && ofDay < 175 : ofDay >= 840 && ofDay < 885;
        return outage || missedLive(timeMillis);
    }

    /** Whether the scrape at that time did not happen after the history's end: a few minutes in each hour and a half. */
    boolean missedLive(long timeMillis) {
        long minute = timeMillis / 60_000;
        return name.equals("a") ? minute % 97 < 3 : minute % 89 < 2 && minute % 97 >= 8;
    }
}
