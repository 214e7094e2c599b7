/* core/coord/intake: what devices say of themselves, at which pace, and whether they are here. */
#ifndef WARREN_CORE_COORD_INTAKE_INTAKE_H
#define WARREN_CORE_COORD_INTAKE_INTAKE_H

#include "base/ratelimit/ratelimit.h"
#include "core/coord/tailnet/types.h"

MUST_USE int intake_new(struct tailnet *c);
void intake_free(struct tailnet *c);
void intake_tick(struct tailnet *c, struct now now);
mono_ns intake_deadline(const struct tailnet *c);

/* One kind of request of which only so many are taken a second (shed.c). */
struct shed {
	mono_ns full_at; /* of base/bucket */
	mono_ns slot;    /* when the last one that was sent away is to come again */
	struct ratelimit sources;
};
void shed_init(struct shed *s, const uint8_t seed[static 16]);
/* Is it one too many? Then it was answered. */
MUST_USE bool shed(struct tailnet *c, struct shed *s, void *owner, struct now now);

/* What others are told of what a device says (clean.c). */
MUST_USE int clean_hostinfo(struct tailnet *c, struct tc_hostinfo *h,
	struct arena *a); /* made fit, and counted. -ENOMEM */
void clean_endpoints(struct tailnet *c, struct json_list *endpoints);
/* Of a document that was loaded. 1: it is another one than is stored. -ENOMEM. */
MUST_USE int clean_stored(struct tailnet *c, struct coord_node_doc *d, struct arena *a);

/* What a device says is told at once or when its time has come (say.c). */
/* What a map request says; it may be changed. -EAGAIN: the store is full; -ENOMEM. */
MUST_USE int say(struct tailnet *c, struct coord_node *n, struct tc_map_request *r,
	struct arena *mem, struct now now);
void say_merge(const struct coord_node *n,
	struct coord_node_doc
		*doc); /* what waits goes into the document; borrowed from what waits */
void say_forget(struct coord_node *n); /* nothing waits any more */

/* How long a change has to wait of which each reader is told so many bytes; 0: it may be. */
mono_ns pace_wait(const struct tailnet *c, const struct coord_node *n, size_t bytes, mono_ns now);
void pace_pay(const struct tailnet *c, struct coord_node *n, size_t bytes, mono_ns now);
/* A registration that changes the device: is it one too many? Then it was answered; else it is paid. */
MUST_USE bool pace_refuses(struct tailnet *c, struct coord_node *n, void *owner, struct now now);
/* Of a device that is not in yet: all of it has to be good. */
MUST_USE int settings_check(const struct tc_hostinfo *h, struct err_at *why);

void presence_arrives(struct tailnet *c, struct coord_node *n,
	struct now now); /* it registered and is about to listen */
void presence_begin(struct tailnet *c, struct coord_node *n, struct now now); /* it listens */
void presence_start_offline_grace(struct tailnet *c, struct coord_node *n,
	struct now now); /* its last stream ended: it may be back at once */
/* It has nothing to do with presence any more. */
void presence_forget(struct coord_node *n);
/* It carried a route when the hub ended: it is waited for a while. */
MUST_USE int presence_expect(struct tailnet *c, struct coord_node *n, struct now now);
/* A device that was to vanish when it goes, and has gone; it is no longer in the queue. NULL: none, or the store refuses changes. */
struct coord_node *presence_ephemeral_due(struct tailnet *c, struct now now);
/* It is one that vanishes, and has a time to say that it is still there. */
MUST_USE int presence_ephemeral_wait(struct tailnet *c, struct coord_node *n, struct now now);

#endif
