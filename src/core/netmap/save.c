/* The map on disk: one map response, so that loading is applying. */
#include "core/netmap/check.h"
#include "core/netmap/netmap.h"

#include <errno.h>
#include <stdlib.h>

static int list_peers(const struct netmap *nm, struct json_list *ret, struct arena *a)
{
	size_t n = netmap_n_peers(nm);
	const struct tc_node **peers = arena_array(a, n, sizeof(*peers));
	struct tc_node *flat = arena_array(a, n, sizeof(*flat));

	if (!peers || !flat)
		return -ENOMEM;
	netmap_peers(nm, peers);
	for (size_t i = 0; i < n; i++)
		flat[i] = *peers[i];
	*ret = json_list_of(flat, n);
	return 0;
}

static int list_filters(const struct netmap *nm, struct json_map *ret, struct arena *a)
{
	size_t n = netmap_n_filters(nm);
	struct json_pair *v = arena_array(a, n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		v[i].value = (void *)(uintptr_t)netmap_filter(nm, i, &v[i].key); /* only read */
	*ret = (struct json_map){ .v = v, .n = n, .present = n > 0 };
	return 0;
}

/* Profiles of the users that the nodes name; others are of no use after a restart. */
static int list_users(const struct netmap *nm, const struct json_list *peers, struct json_list *ret,
	struct arena *a)
{
	struct tc_user *v = arena_array(a, 2 * peers->n + 1, sizeof(*v));
	const struct tc_node *self = netmap_self(nm);
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < 2 * peers->n + 1; i++) {
		const struct tc_node *p =
			i == 2 * peers->n ? self : JSON_AT(*peers, struct tc_node, i / 2);
		const struct tc_user *u = p ? netmap_user(nm, i % 2 ? p->sharer : p->user) : NULL;

		if (u && (n == 0 || v[n - 1].id != u->id))
			v[n++] = *u;
	}
	*ret = json_list_of(v, n);
	return 0;
}

static int collect(const struct netmap *nm, struct tc_map_response *r, struct arena *a)
{
	int rc = list_peers(nm, &r->peers, a);

	if (rc == 0)
		rc = list_filters(nm, &r->packet_filters, a);
	if (rc == 0)
		rc = list_users(nm, &r->peers, &r->user_profiles, a);
	/* Only read through these. */
	r->node = (struct tc_node *)(uintptr_t)netmap_self(nm);
	r->derp_map = (struct tc_derp_map *)(uintptr_t)netmap_derp_map(nm);
	r->dns_config = (struct tc_dns_config *)(uintptr_t)netmap_dns(nm);
	r->domain = netmap_domain(nm);
	r->ssh_policy = netmap_ssh_policy(nm);
	if (netmap_health(nm))
		r->health = *netmap_health(nm);
	if (netmap_display(nm))
		r->display_messages = *netmap_display(nm);
	return rc;
}

int netmap_save(const struct netmap *nm, struct buf *out)
{
	struct tc_map_response r = { 0 };
	struct arena a;
	int rc;

	arena_init(&a, NETMAP_TEXT_MAX);
	rc = collect(nm, &r, &a);
	if (rc == 0)
		rc = json_encode(&tc_map_response_type, &r, out);
	arena_fini(&a);
	return rc;
}

int netmap_load(struct netmap *nm, const void *text, size_t len, struct netmap_check *c,
	const struct netmap_check_by *by, struct now now)
{
	struct tc_map_response r;
	struct arena a;
	int rc;

	arena_init(&a, NETMAP_TEXT_MAX);
	rc = json_decode(&tc_map_response_type, text, len, &r, &a, NULL);
	if (rc == 0 && c)
		netmap_check(c, &r, by);
	if (rc == 0)
		rc = netmap_apply(nm, &r, now);
	arena_fini(&a);
	return rc;
}
