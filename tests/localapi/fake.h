/*
 * tests/localapi/fake: a made-up daemon behind the services of the local API, for tests: a network of three devices that exists in
 * memory only. Pings and netchecks are answered at once, or never for the address that nobody has. A logout takes until the next
 * edit when the host name is "slow".
 */
#ifndef WARREN_TESTS_LOCALAPI_FAKE_H
#define WARREN_TESTS_LOCALAPI_FAKE_H

#include "localapi/server/server.h"

struct fake;

MUST_USE int fake_new(struct fake **ret, struct loop *l);
struct fake *fake_free(struct fake *f); /* after the server */
/* A server of its services. version: borrowed. */
MUST_USE int fake_serve(struct fake *f, struct loop *l, const char *version, struct lapi **ret);
void fake_turn_end(void *ctx); /* for the loop; ctx: the fake */
/* Calls that wait (pings of 100.64.0.99), and how many were cancelled. */
size_t fake_n_waiting(const struct fake *f);
size_t fake_n_cancelled(const struct fake *f);

#endif
