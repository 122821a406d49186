package io.varve.querier.fanout;

import io.varve.model.Labels;
import io.varve.store.ExemplarsApi;
import io.varve.store.MetadataApi;
import io.varve.store.RulesApi;
import io.varve.store.StatusApi;
import io.varve.store.TargetsApi;
import java.util.List;
import java.util.Map;

/**
 * What answers take of the heap, in bytes, as far as it can be told without looking at the heap: objects with their places in lists and maps, of texts the
 * characters, of labels a second array for those who take some out.
 */
final class HeapBytes {
    private static final long OBJECT = 128;
    private static final long TEXT = 56;

    private HeapBytes() {
    }

    static long of(String text) {
        return TEXT + text.length();
    }

    static long of(Labels labels) {
        long n = 80;
        for (int i = 0; i < labels.size(); i++) {
            n += of(labels.name(i)) + of(labels.value(i)) + 16;
        }
        return n;
    }

    static long of(RulesApi.Group g) {
        long n = OBJECT + of(g.name()) + of(g.file());
        for (RulesApi.Rule rule : g.rules()) {
            n += OBJECT + of(rule.name()) + of(rule.query()) + of(rule.labels());
            switch (rule) {
                case RulesApi.Recording r -> n += of(r.health()) + of(r.lastError());
                case RulesApi.Alerting a -> {
                    n += of(a.annotations()) + of(a.health()) + of(a.lastError());
                    for (RulesApi.Alert x : a.alerts()) {
                        n += OBJECT + of(x.labels()) + of(x.annotations()) + of(x.value());
                    }
                }
            }
        }
        return n;
    }

    static long of(TargetsApi.Discovery d) {
        long n = OBJECT;
        for (TargetsApi.Active t : d.active()) {
            n += 2 * OBJECT + of(t.discoveredLabels()) + of(t.labels()) + of(t.scrapePool()) + of(t.scrapeUrl()) + of(t.globalUrl())
                    + of(t.lastError());
        }
        for (TargetsApi.Dropped t : d.dropped()) {
            n += OBJECT + of(t.discoveredLabels());
        }
        return n;
    }

    static long ofMetadata(Map<String, List<MetadataApi.Meta>> metadata) {
        long n = OBJECT;
        for (Map.Entry<String, List<MetadataApi.Meta>> e : metadata.entrySet()) {
            n += 2 * OBJECT + of(e.getKey());
            for (MetadataApi.Meta m : e.getValue()) {
                n += OBJECT + of(m.type()) + of(m.help()) + of(m.unit());
            }
        }
        return n;
    }

    static long of(ExemplarsApi.ExemplarSeries s) {
        long n = 2 * OBJECT + of(s.series());
        for (ExemplarsApi.Exemplar x : s.exemplars()) {
            n += OBJECT + of(x.labels());
        }
        return n;
    }

    static long ofStatistics(Map<String, StatusApi.TsdbStatistics> statistics) {
        long n = OBJECT;
        for (Map.Entry<String, StatusApi.TsdbStatistics> e : statistics.entrySet()) {
            StatusApi.TsdbStatistics s = e.getValue();
            n += 2 * OBJECT + of(e.getKey());
            for (List<StatusApi.Statistic> list : List.of(s.seriesCountByMetricName(), s.labelValueCountByLabelName(),
                    s.memoryInBytesByLabelName(), s.seriesCountByLabelValuePair())) {
                for (StatusApi.Statistic x : list) {
                    n += OBJECT + of(x.name());
                }
            }
        }
        return n;
    }
}
