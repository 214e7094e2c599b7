/* core/coord/routes: what devices offer to carry, what of it is approved, and who is watched because others depend on it. */
#ifndef WARREN_CORE_COORD_ROUTES_ROUTES_H
#define WARREN_CORE_COORD_ROUTES_ROUTES_H

#include "core/coord/tailnet/types.h"

/* Its routes in use are worked out again from its document. */
MUST_USE int routes_refresh(struct tailnet *c, struct coord_node *n, struct now now);
bool routes_conflict(const struct tailnet *c,
	const struct coord_node *n); /* it offers what is not its to offer */
void routes_watch(
	struct tailnet *c, struct now now); /* who has to be watched, now that routers changed */
void routes_leave(struct coord_node *n);
/* Is it, or a part of it, of the organisation's own? Is it approved for the device? */
bool routes_is_protected(const struct tailnet *c, struct ipprefix prefix);
bool routes_is_approved(const struct coord_node *n, struct ipprefix prefix);
size_t routes_offered(
	const struct coord_node *n); /* how many; more than COORD_ROUTES_MAX do not count */
struct ipprefix routes_offered_at(const struct coord_node *n, size_t i);
/* NULL: it is not approved. */
const struct coord_route_approval *routes_approval_of(
	const struct coord_node *n, struct ipprefix prefix);
/* The device's approvals, with room for `more`. NULL: no memory. */
struct coord_route_approval *routes_copy_approvals(
	const struct coord_node *n, size_t more, struct arena *a);
/* The organisation's own prefix that it overlaps, or NULL. */
const struct ipprefix *routes_protected_prefix(const struct tailnet *c, struct ipprefix x);
/* Routes: what devices offer to carry, and what of it is approved. In use is what is both. */
struct coord_route {
	int64_t node;
	struct ipprefix prefix;
	bool advertised, approved, in_use;
	bool primary;   /* carries it now; never of a default route */
	bool online;    /* the device */
	const char *by; /* who approved it; "": autoApprovers */
	unix_ms approved_at;
	const struct ipprefix
		*protected; /* the organisation's own prefix that it overlaps, or NULL */
};

/* node 0: of all devices. fn's negative result ends the walk and is returned. -ENOENT. */
MUST_USE int coord_routes(const struct tailnet *c, int64_t node,
	int (*fn)(void *ctx, const struct coord_route *r), void *ctx);

#endif
