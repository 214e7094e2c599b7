/*
 * daemon/services/service: a part of the daemon that programs ask: what it is called by, what can be asked of it, and when it wants
 * the time. Whoever adds a call adds it to the table of a service, or adds a service to the list in daemon/backend.c; nothing below
 * changes.
 */
#ifndef WARREN_DAEMON_SERVICES_SERVICE_H
#define WARREN_DAEMON_SERVICES_SERVICE_H

#include "localapi/server/server.h"
#include "os/loop/loop.h"

/* All operations may be NULL. self: as it was added. */
struct service {
	const char *name;
	/* What can be asked over the LocalAPI, by paths behind /localapi/v0; q->ctx is self. */
	const struct router *routes;
	/* Likewise by other devices of the tailnet, over the PeerAPI; see daemon/peerapi. */
	const struct router *peerapi;
	int (*start)(void *self); /* after the engine is there */
	void (*stop)(void *self); /* once, also when it was not started */
	/* When tick is due; MONO_NEVER: it is not. Asked at the end of each turn. */
	mono_ns (*deadline)(const void *self);
	void (*tick)(void *self, struct now now);
};

struct services;

MUST_USE int services_new(struct services **ret, struct loop *l);
/* Stops them, the last one first. */
struct services *services_free(struct services *s);
/* At most LAPI_TABLES_MAX. */
void services_add(struct services *s, const struct service *is, void *self);
MUST_USE int services_start(struct services *s);
void services_turn_end(struct services *s);
/* For the LocalAPI; of all that were added. */
const struct lapi_table *services_tables(const struct services *s, size_t *ret_n);
const struct lapi_table *services_peerapi(const struct services *s, size_t *ret_n);

#endif
