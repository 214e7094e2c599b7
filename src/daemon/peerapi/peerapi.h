/*
 * daemon/peerapi: HTTP for the other devices of the tailnet, on our own tailnet addresses. Who asks is who the tunnel says it is: the
 * device that the source address belongs to. What can be asked are the tables of the services (service.h), whose routers name
 * peerapi_router_ops; what each may is decided there.
 *
 * Source: Tailscale ipn/ipnlocal/peerapi.go.
 */
#ifndef WARREN_DAEMON_PEERAPI_PEERAPI_H
#define WARREN_DAEMON_PEERAPI_PEERAPI_H

#include "daemon/engine/engine.h"
#include "daemon/services/service.h"

struct peerapi;

enum {
	PEERAPI_CONNS_MAX = 128,
	PEERAPI_ANSWER_MAX = 128 * 1024, /* bytes of answers that wait on a connection */
};

struct peerapi_counters {
	uint64_t requests, strangers, refused; /* refused: no request of a peer, or it may not */
	uint64_t connections_refused;
};

/* services: whose tables are served, as they are at the start. Borrowed. */
MUST_USE int peerapi_new(struct peerapi **ret, struct engine *e, const struct services *services);
struct peerapi *peerapi_free(struct peerapi *p);
const struct peerapi_counters *peerapi_counters(struct peerapi *p);

/* Listens where our addresses are; at the end of the turn, after they are set. */
void peerapi_turn_end(struct peerapi *p);
extern const struct service peerapi_service; /* self: struct peerapi; tries again what failed */

/*
 * For tables. q->ctx: the service's self. q->who.proof: const struct tc_node, the peer. Requests that browsers send on behalf of
 * pages are refused.
 */
extern const struct router_ops peerapi_router_ops;
#define PEERAPI_TABLE(list) \
	{ \
		ROUTER_TABLE(list), .ops = &peerapi_router_ops \
	}
/* The peer's and our own user are the same, and it is a device like ours: no stranger's that may use the PeerAPI only. */
bool peerapi_is_self(const struct http_request *q);
/* A line of text. */
int peerapi_send_text(struct http_request *q, int status, const char *text);

#endif
