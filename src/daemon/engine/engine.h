/*
 * daemon/engine: the engine of the profile that is in use now, as every part of the daemon sees it: which one it is, by what
 * clock it goes, and what this machine cannot do for it.
 */
#ifndef WARREN_DAEMON_ENGINE_ENGINE_H
#define WARREN_DAEMON_ENGINE_ENGINE_H

#include "core/node/node.h"
#include "os/loop/loop.h"

struct net;

struct engine {
	struct loop *loop;
	struct rng *rng;
	struct node *node;  /* NULL: before the first profile; another one after a switch */
	struct net *net;    /* that takes its packets; NULL: not open yet */
	unsigned os_faults; /* NODE_FAULT_ */
};

struct now engine_now(const struct engine *e);
/* Is this address reached through the tunnel: a device's, or one behind a router of the tailnet? */
bool engine_routes_to(const struct engine *e, struct ipaddr ip);
/* Sets or clears a bit of what this machine cannot do, for the health of this device. Kept for the next engine too. */
void engine_set_os_fault(struct engine *e, unsigned bit, bool on);

#endif
