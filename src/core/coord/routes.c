/* Administration of routes, and the settings about the organisation's own prefixes. */
#include "core/coord/internal.h"

#include <errno.h>

enum { MEM_MAX = 4 << 20 };

const struct coord_settings *coord_settings(const struct tailnet *c)
{
	return &c->settings;
}

int coord_protected_prefixes_set(struct tailnet *c, const struct ipprefix *v, size_t n,
	enum coord_protected_switch what, struct now now)
{
	struct coord_settings doc = { .protected_prefixes = json_list_of((void *)(uintptr_t)v, n),
		.protected_switch = what },
			      copy;
	struct arena mem;
	int rc;

	if (n > COORD_PROTECTED_PREFIXES_MAX)
		return -ERR_TOO_MANY;
	if ((unsigned)what > COORD_PROTECTED_REFUSE)
		return -ERR_BAD_VALUE;
	for (size_t i = 0; i < n; i++)
		if (v[i].bits == 0 || !ipprefix_eq(ipprefix_masked(v[i]), v[i]))
			return -ERR_BAD_VALUE;
	rc = store_copy_doc(&coord_settings_type, &doc, &copy, &mem);
	if (rc < 0)
		return rc;
	arena_fini(&c->settings_mem);
	c->settings = copy;
	c->settings_mem = mem;
	rc = store_doc(c, COORD_SETTINGS, 1, &coord_settings_type, &c->settings);
	return rc < 0 ? rc : policy_sync_routes(c, now);
}

static int set_approvals(struct tailnet *c, struct coord_node *n, struct coord_route_approval *v,
	size_t n_v, struct now now)
{
	struct coord_node_doc doc = n->doc;

	doc.routes = json_list_of(v, n_v);
	return policy_sync_update(c, n, &doc, true, true, now);
}

int coord_route_approve(
	struct tailnet *c, int64_t node, struct ipprefix prefix, const char *by, struct now now)
{
	struct coord_node *n = coord_node_by_id(c, node);
	struct coord_route_approval *v;
	struct arena a;
	int rc;

	prefix = ipprefix_masked(prefix);
	if (!n)
		return -ENOENT;
	if (routes_approval_of(n, prefix))
		return 0;
	if (n->doc.routes.n >= COORD_ROUTES_MAX)
		return -ERR_TOO_MANY;
	arena_init(&a, MEM_MAX);
	v = routes_copy_approvals(n, 1, &a);
	if (v)
		v[n->doc.routes.n] = (struct coord_route_approval){
			.prefix = prefix, .by = by ? by : "", .at = now.wall
		};
	rc = v ? set_approvals(c, n, v, n->doc.routes.n + 1, now) : -ENOMEM;
	arena_fini(&a);
	return rc;
}

int coord_route_unapprove(struct tailnet *c, int64_t node, struct ipprefix prefix, struct now now)
{
	struct coord_node *n = coord_node_by_id(c, node);
	const struct coord_route_approval *gone =
		n ? routes_approval_of(n, ipprefix_masked(prefix)) : NULL;
	struct coord_route_approval *v;
	struct arena a;
	size_t at;
	int rc;

	if (!gone)
		return -ENOENT;
	at = (size_t)(gone - JSON_AT(n->doc.routes, struct coord_route_approval, 0));
	arena_init(&a, MEM_MAX);
	v = routes_copy_approvals(n, 0, &a);
	if (v)
		memmove(v + at, v + at + 1, (n->doc.routes.n - at - 1) * sizeof(*v));
	rc = v ? set_approvals(c, n, v, n->doc.routes.n - 1, now) : -ENOMEM;
	arena_fini(&a);
	return rc;
}
