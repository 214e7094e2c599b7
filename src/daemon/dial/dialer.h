/*
 * daemon/dial: streams to somewhere: from a name or an address to bytes, with TLS or without; the engine's streams over them; and
 * the requests by which the distance to relays is measured where UDP is blocked.
 */
#ifndef WARREN_DAEMON_DIAL_DIALER_H
#define WARREN_DAEMON_DIAL_DIALER_H

#include "daemon/engine/engine.h"

struct dialer;

struct dialer_counters {
	uint64_t lookups, lookups_refused;
};

MUST_USE int dialer_new(struct dialer **ret, struct engine *e);
/* After dialer_close_all, and after the loop has ended: contexts of TLS are in use until then. */
struct dialer *dialer_free(struct dialer *d);

/* What the engine asks for; see struct node_ops. The answers are node_stream_*, node_measured, node_resolved. */
void dialer_dial(struct dialer *d, unsigned stream, const struct node_dial *to);
void dialer_hangup(struct dialer *d, unsigned stream);
void dialer_wake(struct dialer *d, unsigned stream);
void dialer_measure(struct dialer *d, int region, const struct node_dial *to);
void dialer_resolve(struct dialer *d, const char *host);

void dialer_close_all(struct dialer *d);    /* the engine hears nothing of them any more */
void dialer_reload_roots(struct dialer *d); /* of the system, for streams from now on */
const struct dialer_counters *dialer_counters(const struct dialer *d);

#endif
