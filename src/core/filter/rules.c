#include "core/filter/rules.h"
#include "core/netmap/netmap.h"
#include "base/err/err.h"

#include <errno.h>

enum { GRANTS_TEXT_MAX = 64 << 20 };

int filter_rules_new(struct filter_rules **ret, const struct filter_cfg *cfg)
{
	AUTO(filter_rules) *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	arena_init(&r->arena, GRANTS_TEXT_MAX);
	rc = filter_rules_read(r, cfg);
	if (rc == 0)
		rc = filter_rules_compile(r);
	if (rc < 0)
		return rc;
	*ret = r;
	r = NULL;
	return 0;
}

void filter_rules_free(struct filter_rules *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_rules; i++)
		for (int f = 0; f < N_FAMILIES; f++) {
			spans_fini(&r->rules[i].src[f]);
			spans_fini(&r->rules[i].cap_src[f]);
		}
	for (int f = 0; f < N_FAMILIES; f++) {
		spans_fini(&r->local[f]);
		table_fini(&r->table[f]);
		free(r->dst[f]);
	}
	free(r->rules);
	free(r->grants);
	arena_fini(&r->arena);
	free(r);
}

struct filter_rules_info filter_rules_info(const struct filter_rules *r)
{
	return (struct filter_rules_info){ .n_rules = r->n_rules,
		.n_bad = r->n_bad,
		.n_cells = r->n_cells,
		.n_scanned = r->n_scanned,
		.uses_caps = r->uses_caps,
		.refused = r->refused };
}

/* The list under a name, which is made when it is not there. NULL without memory. */
static struct json_list *cap_list(struct json_map *m, const char *name, struct arena *a)
{
	struct json_list *l = json_map_find(m, name);

	if (l)
		return l;
	l = arena_new(a, struct json_list);
	return l && json_map_add(m, a, name, l) == 0 ? l : NULL;
}

static int add_values(
	struct json_map *m, const char *name, const struct json_list *values, struct arena *a)
{
	struct json_list *l = cap_list(m, name, a);

	for (size_t i = 0; l && i < values->n; i++) {
		struct view *v = json_list_add(l, a, sizeof(*v));

		if (!v)
			return -ENOMEM;
		*v = *JSON_AT(*values, struct view, i);
	}
	return l ? 0 : -ENOMEM;
}

static bool grants_to(const struct tc_cap_grant *g, struct ipaddr dst)
{
	for (size_t i = 0; i < g->dsts.n; i++)
		if (ipprefix_contains(*JSON_AT(g->dsts, struct ipprefix, i), dst))
			return true;
	return false;
}

static int add_grant(struct json_map *m, const struct tc_cap_grant *g, struct arena *a)
{
	static const struct json_list none;
	int rc = 0;

	for (size_t i = 0; i < g->caps.n && rc == 0; i++)
		rc = add_values(m, *JSON_AT(g->caps, const char *, i), &none, a);
	for (size_t i = 0; i < g->cap_map.n && rc == 0; i++)
		rc = add_values(m, g->cap_map.v[i].key, g->cap_map.v[i].value, a);
	return rc;
}

int filter_caps(const struct filter_rules *r, struct ipaddr src, struct ipaddr dst, struct arena *a,
	struct json_map *ret)
{
	struct json_map m = { 0 };
	struct akey k = akey_load(src.family == 6, src.b);
	int rc = 0;

	for (size_t i = 0; i < r->n_grants; i++) {
		const struct grant *g = &r->grants[i];

		if (!spans_have(&r->rules[g->rule].src[family_of(src)], k))
			continue;
		for (size_t j = 0; j < g->caps.n && rc == 0; j++)
			if (grants_to(JSON_AT(g->caps, struct tc_cap_grant, j), dst))
				rc = add_grant(&m, JSON_AT(g->caps, struct tc_cap_grant, j), a);
	}
	if (rc == 0)
		*ret = m;
	return rc;
}

/* --- from the network map --- */

/* A peer that the tailnet's lock does not vouch for may only be asked; a filter that lets it in is
 * not to be trusted. */
static bool lets_in(const struct filter_rules *r, const struct tc_node *peer)
{
	for (size_t i = 0; i < peer->allowed_ips.n; i++) {
		struct ipprefix p = *JSON_AT(peer->allowed_ips, struct ipprefix, i);

		for (size_t k = 0; k < r->n_rules; k++)
			if (spans_overlap(&r->rules[k].src[family_of(p.ip)], span_of_prefix(p)))
				return true;
	}
	return false;
}

static size_t add_holders(const struct tc_node *n, struct filter_holder *v)
{
	size_t i;

	if (!n->cap_map.n || n->unsigned_peerapi_only)
		return 0;
	for (i = 0; i < n->addresses.n; i++)
		if (v)
			v[i] = (struct filter_holder){
				JSON_AT(n->addresses, struct ipprefix, i)->ip, &n->cap_map
			};
	return i;
}

static bool any_cap_source(const struct filter_cfg *cfg)
{
	for (size_t i = 0; i < cfg->n_lists; i++)
		for (size_t j = 0; j < cfg->lists[i].n; j++) {
			const struct tc_filter_rule *rule =
				JSON_AT(cfg->lists[i], struct tc_filter_rule, j);

			for (size_t k = 0; k < rule->src_ips.n; k++) {
				const char *s = *JSON_AT(rule->src_ips, const char *, k);

				if (s && strncmp(s, "cap:", 4) == 0)
					return true;
			}
		}
	return false;
}

static int fill_cfg(struct filter_cfg *cfg, const struct netmap *nm, const struct tc_node **peers,
	size_t n_peers, const struct filter_carry *carry, struct arena *a)
{
	const struct tc_node *self = netmap_self(nm);
	struct json_list *lists = arena_array(a, netmap_n_filters(nm), sizeof(*lists));
	struct filter_holder *holders;

	if (!lists)
		return -ENOMEM;
	for (size_t i = 0; i < netmap_n_filters(nm); i++)
		lists[i] = *netmap_filter(nm, i, NULL);
	*cfg = (struct filter_cfg){
		.lists = lists, .n_lists = netmap_n_filters(nm), .carry = *carry
	};
	if (self) {
		cfg->local = self->addresses.v;
		cfg->n_local = self->addresses.n;
		cfg->carry.approved = self->allowed_ips.v;
		cfg->carry.n_approved = self->allowed_ips.n;
	}
	if (!any_cap_source(cfg))
		return 0;
	for (size_t i = 0; i < n_peers; i++)
		cfg->n_holders += add_holders(peers[i], NULL);
	cfg->holders = holders = arena_array(a, cfg->n_holders, sizeof(*holders));
	for (size_t i = 0; i < n_peers && holders; i++)
		holders += add_holders(peers[i], holders);
	return holders ? 0 : -ENOMEM;
}

int filter_rules_from_netmap(struct filter_rules **ret, const struct netmap *nm,
	const struct filter_carry *carry, bool shields_up)
{
	size_t n_peers = netmap_n_peers(nm);
	struct filter_cfg cfg = { 0 };
	struct arena a;
	const struct tc_node **peers;
	int rc;

	arena_init(&a, SIZE_MAX);
	peers = arena_array(&a, n_peers, sizeof(*peers));
	rc = peers ? 0 : -ENOMEM;
	if (rc == 0) {
		netmap_peers(nm, peers);
		rc = fill_cfg(&cfg, nm, peers, n_peers, carry, &a);
	}
	cfg.shields_up = shields_up;
	if (rc == 0)
		rc = filter_rules_new(ret, &cfg);
	for (size_t i = 0; i < n_peers && rc == 0 && cfg.n_lists; i++)
		if (peers[i]->unsigned_peerapi_only && lets_in(*ret, peers[i])) {
			filter_rules_free(*ret);
			cfg.n_lists = 0;
			rc = filter_rules_new(ret, &cfg);
			if (rc == 0)
				(*ret)->refused = true;
		}
	arena_fini(&a);
	return rc;
}
