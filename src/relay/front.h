/*
 * relay/front: the HTTP listeners of a relay that stands alone: /derp is handed to the relay, the small paths are
 * answered, everything else is a short page. Bounded: connections before their upgrade, bytes of a request, and 30 s until
 * the upgrade or the next request.
 */
#ifndef WARREN_RELAY_FRONT_H
#define WARREN_RELAY_FRONT_H

#include "os/stream/tls.h"
#include "relay/relay.h"

struct front;

enum { FRONT_LISTEN_MAX = 8, FRONT_CONNS_MAX = 4096, FRONT_TIMEOUT_S = 30 };

struct front_counters {
	uint64_t accepted, refused, requests, bad_requests, timed_out;
};

MUST_USE int front_new(struct front **ret, struct loop *loop, struct relay *relay);
struct front *front_free(struct front *f);
/* tls NULL: plain HTTP, for labs. */
MUST_USE int front_listen(struct front *f, struct ipport addr, struct tls_ctx *tls);
const struct front_counters *front_counters(const struct front *f);

#endif
