package io.varve.querier.fanout;

import io.varve.store.ExemplarsApi;
import io.varve.store.GrpcStoreClient;
import io.varve.store.MetadataApi;
import io.varve.store.RulesApi;
import io.varve.store.StatusApi;
import io.varve.store.StoreClient;
import io.varve.store.TargetsApi;

/** Everything that can be asked of one endpoint. What it does not announce is not asked. */
public record Peer(StoreClient store, RulesApi rules, TargetsApi targets, MetadataApi metadata, ExemplarsApi exemplars, StatusApi status) {
    /** All of it over one connection. */
    public static Peer of(GrpcStoreClient client) {
        return new Peer(client, client.apis(), client.apis(), client.apis(), client.apis(), client.apis());
    }

    /** A store alone; other calls find nothing. */
    public static Peer of(StoreClient client) {
        return new Peer(client, (c, r, a) -> {
        }, (c, r, a) -> {
        }, (c, r, a) -> {
        }, (c, r, a) -> {
        }, (c, r, a) -> {
        });
    }
}
