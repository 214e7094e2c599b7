/* daemon/services/facts: what several services tell of the device. Read only. */
#ifndef WARREN_DAEMON_SERVICES_FACTS_H
#define WARREN_DAEMON_SERVICES_FACTS_H

#include "base/arena/arena.h"
#include "core/netmap/netmap.h"
#include "proto/ipn/ipn.h"

struct facts_ops {
	enum ipn_state (*state)(void *owner);
	/*
	 * Everything but Version. ret->self is never NULL, ret->health is present. Without peers, Peer stays absent and User holds
	 * the own user only.
	 */
	int (*status)(void *owner, bool peers, struct arena *a, struct ipn_status *ret);
	/* Borrowed until the loop's next turn. NULL: none yet. */
	const struct netmap *(*netmap)(void *owner);
	struct machine_pub (*machine_key)(void *owner);
	/* Borrowed until the next edit. Never NULL; secrets are left out by who shows them. */
	const struct ipn_prefs *(*prefs)(void *owner);
	/* The warnings that are on. */
	int (*health)(void *owner, struct arena *a, struct ipn_health *ret);
	int (*engine)(void *owner, struct arena *a, struct ipn_engine_status *ret);
};

struct facts {
	const struct facts_ops *ops;
	void *owner;
	const char *version; /* long form; borrowed */
};

#endif
