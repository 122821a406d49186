/** Tests of the store gateway: golden recordings, random blocks against a naive reader, faults at every position, hostile queries. */
@org.jspecify.annotations.NullMarked
package io.varve.storegateway;
