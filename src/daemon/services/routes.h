/* daemon/services/routes: which routes there are, and what of each this device makes. */
#ifndef WARREN_DAEMON_SERVICES_ROUTES_H
#define WARREN_DAEMON_SERVICES_ROUTES_H

#include "daemon/services/service.h"
#include "proto/ipn/ipn.h"

struct routes_service {
	/* struct ipn_route, in the arena. */
	int (*routes)(void *owner, struct arena *a, struct json_list *ret);
	/* The exit node that would do best; *ret NULL: none. -ERR_BAD_STATE: it is too early to say. */
	int (*suggest_exit)(void *owner, struct arena *a, const struct tc_node **ret);
	void *owner;
};

extern const struct service routes_service; /* self: struct routes_service */

#endif
