/*
 * What the system's resolver has to say, by what our own resolver does.
 *
 *	no servers and no suffixes of ours         search domains only
 *	servers for everything (hub, exit node)    our resolver for everything
 *	suffixes only, the manager can split       our resolver for these suffixes
 *	suffixes only, it cannot                   our resolver for everything, and the system's own servers behind it
 *
 * Our resolver is told also where the hub names plain servers: it knows the names of devices, and asks over HTTPS where it can.
 */
#include "core/node/map/map.h"

#include "base/text/text.h"
#include "proto/names/names.h"
#include "proto/tsaddr/tsaddr.h"

#include "core/dns/dns.h"

struct matches {
	struct arena *mem;
	const char **v;
	size_t n;
};

/* -ENOMEM. More than fit are left out: they are reached by their full names through nobody. */
static int add_match(struct matches *m, const char *suffix)
{
	size_t len;
	char *copy;

	while (*suffix == '.')
		suffix++;
	len = strlen(suffix);
	while (len && suffix[len - 1] == '.')
		len--;
	if (!len || m->n == OSDNS_MATCH_MAX)
		return 0;
	copy = arena_strndup(m->mem, suffix, len);
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++)
		copy[i] = ascii_lower(copy[i]);
	for (size_t i = 0; i < m->n; i++)
		if (!strcmp(m->v[i], copy))
			return 0;
	m->v[m->n++] = copy;
	return 0;
}

/* Devices that others share with us: the domain of each. */
static int add_foreign(const struct node *a, struct matches *m)
{
	size_t n = netmap_n_peers(a->nm);
	const struct tc_node **peers = arena_array(m->mem, n, sizeof(*peers));
	int rc = peers ? 0 : -ENOMEM;

	if (rc == 0)
		netmap_peers(a->nm, peers);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const char *dot = peers[i]->name ? strchr(peers[i]->name, '.') : NULL;

		rc = dot ? add_match(m, dot + 1) : 0;
	}
	return rc;
}

static int add_reverse(struct matches *m)
{
	int rc = add_match(m, "0.e.1.a.c.5.1.1.a.7.d.f.ip6.arpa");
	char text[32];

	for (unsigned i = 64; rc == 0 && i < 128; i++) {
		snprintf(text, sizeof(text), "%u.100.in-addr.arpa", i);
		rc = add_match(m, text);
	}
	return rc;
}

/* In the order of their weight: names of devices, suffixes of the hub, single records, reverse zones. */
static int all_matches(const struct node *a, const struct dns_config *c, struct matches *m)
{
	int rc = 0;

	m->v = arena_array(m->mem, OSDNS_MATCH_MAX, sizeof(*m->v));
	if (!m->v)
		return -ENOMEM;
	if (c->domain)
		rc = add_match(m, c->domain);
	if (rc == 0 && a->dns.n_outside)
		rc = add_foreign(a, m);
	for (size_t i = 0; rc == 0 && i < c->n_routes; i++)
		rc = add_match(m, c->routes[i].suffix);
	for (size_t i = 0; rc == 0 && i < c->n_records; i++) {
		const char *name = c->records[i].name;
		size_t len = strlen(name), k = 0;

		while (k < m->n &&
			!name_has_suffix(view_of(name, len), view_of(m->v[k], strlen(m->v[k]))))
			k++;
		rc = k == m->n ? add_match(m, name) : 0;
	}
	return rc == 0 && c->magic ? add_reverse(m) : rc;
}

static int search_domains(const struct tc_dns_config *d, struct arena *mem, struct os_dns_config *o)
{
	const char **v = arena_array(mem, d->domains.n, sizeof(*v));
	struct matches m = { .mem = mem, .v = v };
	int rc = v ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < MIN_OF(d->domains.n, (size_t)OSDNS_SEARCH_MAX); i++)
		rc = add_match(&m, *JSON_AT(d->domains, const char *, i));
	o->search = v;
	o->n_search = m.n;
	return rc;
}

static void our_servers(const struct node *a, const struct dns_config *c, struct os_dns_config *o)
{
	if (!c->v6_only)
		o->server[o->n_servers++] = tsaddr_service;
	if (c->v6_only || !node_has_cap(self_of(a), "force-register-magicdns-ipv4-only"))
		o->server[o->n_servers++] = tsaddr_service6;
}

int node_os_dns_make(
	const struct node *a, const struct dns_config *c, struct arena *mem, struct node_os_dns *o)
{
	const struct tc_dns_config *d = a->nm ? netmap_dns(a->nm) : NULL;
	struct matches m = { .mem = mem };
	int rc;

	*o = (struct node_os_dns){ 0 };
	/* Without the first three there are no names here; accept-dns=false says that the system is not ours. */
	if (!self_of(a) || !a->magicsock_up || node_key_expired(a, self_of(a)) || !d ||
		!prefs_of(a)->corp_dns)
		return 0;
	o->wanted = true;
	rc = search_domains(d, mem, &o->whole);
	if (rc < 0)
		return rc;
	o->split = o->whole;
	if (!c->n_defaults && !c->n_routes && !c->magic && !c->n_records)
		return 0;
	our_servers(a, c, &o->whole);
	our_servers(a, c, &o->split);
	if (c->n_defaults || c->no_base)
		return 0;
	o->wants_base = true;
	rc = all_matches(a, c, &m);
	o->split.match = m.v;
	o->split.n_match = m.n;
	return rc;
}
