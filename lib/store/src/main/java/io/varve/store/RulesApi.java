package io.varve.store;

import io.varve.model.Labels;
import io.varve.model.QueryContext;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Rules and alerts ({@code thanos.Rules}); the same interface for the side that answers and the side that asks. Safe for many threads. */
public interface RulesApi {
    /** When what has not happened yet did happen: Go's zero time. */
    Instant NEVER = Instant.parse("0001-01-01T00:00:00Z");

    /** Sends rule groups. */
    void rules(QueryContext context, Request request, Answers<Group> answers);

    /** Which rules. */
    enum Kind {
        /** All. */
        ALL,
        /** Alerting rules. */
        ALERT,
        /** Recording rules. */
        RECORD
    }

    /** How an alert stands. In the order of the wire. */
    enum State {
        /** Not evaluated. */
        UNKNOWN,
        /** Not active. */
        INACTIVE,
        /** Active, not long enough. */
        PENDING,
        /** Firing. */
        FIRING
    }

    /**
     * What is asked.
     *
     * @param matchers selectors ({@code match[]}) on the rules' labels
     * @param names rule names; empty for all
     * @param groups group names; empty for all
     * @param files files; empty for all
     */
    record Request(Kind kind, boolean partialResponse, List<String> matchers, List<String> names, List<String> groups, List<String> files) {
        /** Everything of a kind. */
        public static Request of(Kind kind) {
            return new Request(kind, true, List.of(), List.of(), List.of(), List.of());
        }
    }

    /** A group of rules. Durations in seconds. {@link #NEVER} where none was yet. */
    record Group(String name, String file, List<Rule> rules, double intervalSeconds, double evaluationSeconds, Instant lastEvaluation,
            boolean abortsOnPartialResponse, long limit) {
    }

    /** A rule. */
    sealed interface Rule {
        /** The rule's name. */
        String name();

        /** Its expression. */
        String query();

        /** Its labels. */
        Labels labels();
    }

    /** A recording rule. */
    record Recording(String name, String query, Labels labels, String health, String lastError, double evaluationSeconds,
            Instant lastEvaluation) implements Rule {
    }

    /** An alerting rule. */
    record Alerting(State state, String name, String query, double durationSeconds, double keepFiringForSeconds, Labels labels,
            Labels annotations, List<Alert> alerts, String health, String lastError, double evaluationSeconds,
            Instant lastEvaluation) implements Rule {
    }

    /**
     * An alert of a rule.
     *
     * @param activeAt since when, null where it is not said
     * @param value as text, the way its source writes floats
     */
    record Alert(Labels labels, Labels annotations, State state, @Nullable Instant activeAt, String value,
            boolean abortsOnPartialResponse) {
    }
}
