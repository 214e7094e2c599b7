/* Who is watched: exit nodes, and routers of a subnet that another router has too. */
#include "core/coord/routes/internal.h"

struct carried {
	struct ipprefix prefix;
	struct coord_node *n;
};

static int by_prefix(const void *a, const void *b)
{
	const struct carried *x = a, *y = b;
	int d = ipaddr_cmp(x->prefix.ip, y->prefix.ip);

	return d ? d : (int)x->prefix.bits - (int)y->prefix.bits;
}

void routes_watch(struct tailnet *c, struct now now)
{
	struct carried *v;
	size_t n = 0, room = 0;

	c->routers_changed = false;
	list_for_each(l, &c->routers)
		room += container_of(l, struct coord_node, in_routers)->n_use;
	v = malloc((room + 1) * sizeof(*v));
	if (!v)
		return; /* as before */
	list_for_each(l, &c->routers) {
		struct coord_node *r = container_of(l, struct coord_node, in_routers);

		r->needed = false;
		for (size_t i = 0; i < r->n_use && !coord_node_is_hidden(r); i++) {
			if (r->use[i].bits)
				v[n++] = (struct carried){ r->use[i], r };
			else
				r->needed = true;
		}
	}
	qsort(v, n, sizeof(*v), by_prefix);
	for (size_t i = 1; i < n; i++)
		if (ipprefix_eq(v[i - 1].prefix, v[i].prefix))
			v[i - 1].n->needed = v[i].n->needed = true;
	list_for_each(l, &c->routers) {
		struct coord_node *r = container_of(l, struct coord_node, in_routers);

		routes_set_watched(r, r->needed, now);
	}
	free(v);
}
