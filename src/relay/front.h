/*
 * relay/front: the pages of a relay that stands alone: /derp is handed to the relay, the small paths are answered,
 * everything else is a short page. Over http/server.
 */
#ifndef WARREN_RELAY_FRONT_H
#define WARREN_RELAY_FRONT_H

#include "http/server/server.h"
#include "relay/relay.h"

enum {
	FRONT_CONNS_MAX =
		16384, /* HTTP connections that have not been upgraded: more than a ledger lets strangers have */
	FRONT_CLIENTS_MAX = 65536, /* of DERP, of a relay that stands alone */
	FRONT_ANSWER_MAX = 16384,
};

/* ledger, proxies, proxy_protocol: of struct httpd_cfg. */
MUST_USE int front_new(struct httpd **ret, struct loop *loop, struct ledger *ledger,
	struct relay *relay, const struct forwarded_trust *proxies, bool proxy_protocol);
/* A request for /derp, over http/server: what a handler returns. */
MUST_USE int front_derp(struct relay *relay, struct http_request *q);
/* The relay's plain paths, probe, latency check and 204, for any owner. */
extern const struct router front_probes;

#endif
