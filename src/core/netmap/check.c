/* Nodes, and the order in which the parts are checked. Relays, DNS and messages: check_parts.c. */
#include "core/netmap/internal.h"

#include "base/text/plain.h"
#include "proto/names/url.h"
#include "proto/tsaddr/tsaddr.h"

#include <stdio.h>

/* ---- Addresses and routes ---- */

static bool is_single(struct ipprefix p)
{
	return p.bits == ipaddr_bits(p.ip) && ipaddr_is_set(p.ip);
}

static bool is_service(struct ipaddr a)
{
	return ipaddr_eq(a, tsaddr_service) || ipaddr_eq(a, tsaddr_service6);
}

static bool has_address(const struct tc_node *n, struct ipprefix p)
{
	for (size_t i = 0; n && i < n->addresses.n; i++)
		if (ipprefix_eq(*JSON_AT(n->addresses, struct ipprefix, i), p))
			return true;
	return false;
}

/* Addresses of a node are its own: single, of a tailnet, and nobody's service. */
static const char *addresses_fault(const struct tc_node *n, const struct tc_node *self)
{
	for (size_t i = 0; i < n->addresses.n; i++) {
		struct ipprefix p = *JSON_AT(n->addresses, struct ipprefix, i);

		if (!is_single(p))
			return "an address of it is a whole network";
		if (!tsaddr_is_tailscale(p.ip) || ipprefix_contains(tsaddr_via, p.ip) ||
			is_service(p.ip))
			return "an address of it is none of a tailnet";
		if (self && has_address(self, p))
			return "it has an address of this device";
	}
	return NULL;
}

/* Where no route of a peer leads, whatever is consented to. */
static bool is_forbidden(struct ipprefix p)
{
	static const struct ipprefix here[] = {
		{ { 4, { 0 } }, 8 },
		{ { 4, { 127 } }, 8 },
		{ { 4, { 169, 254 } }, 16 },
		{ { 4, { 224 } }, 3 },
		{ { 6, { 0 } }, 127 },
		{ { 6, { 0xfe, 0x80 } }, 10 },
		{ { 6, { 0xff } }, 8 },
		{ { 6, { [10] = 0xff, 0xff } }, 96 },
	};

	for (size_t i = 0; i < ARRAY_LEN(here); i++)
		if (p.bits >= here[i].bits && ipprefix_contains(here[i], p.ip))
			return true;
	return false;
}

/* Of a tailnet's own range only single addresses (of services) are routed, and IPv4 networks at a numbered site. */
static bool is_of_tailnet(struct ipprefix p)
{
	return (p.bits >= tsaddr_cgnat.bits && ipprefix_contains(tsaddr_cgnat, p.ip)) ||
	       (p.bits >= tsaddr_ula.bits && ipprefix_contains(tsaddr_ula, p.ip) &&
		       !(p.bits >= tsaddr_via.bits && ipprefix_contains(tsaddr_via, p.ip)));
}

struct of_node {
	const struct tc_node *n, *self;
};

static bool route_is_good(void *ctx, void *item)
{
	const struct of_node *of = ctx;
	struct ipprefix p = ipprefix_masked(*(struct ipprefix *)item);

	if (!ipaddr_is_set(p.ip))
		return false;
	if (p.bits == 0 || has_address(of->n, p))
		return true;
	if (is_forbidden(p) || (is_of_tailnet(p) && !is_single(p)))
		return false;
	return !is_single(p) || (!is_service(p.ip) && !has_address(of->self, p));
}

static bool endpoint_is_good(void *ctx, void *item)
{
	const struct ipport *at = item;

	(void)ctx;
	return at->port && ipaddr_is_set(at->ip) && !ipaddr_is_unspecified(at->ip) &&
	       !ipaddr_is_multicast(at->ip) && !ipaddr_eq(at->ip, ipaddr_v4(255, 255, 255, 255));
}

/* ---- Nodes ---- */

static void trim_node(struct netmap_check *c, struct tc_node *n, const struct tc_node *self)
{
	struct of_node of = { n, self };
	size_t gone = json_list_keep(
		&n->allowed_ips, sizeof(struct ipprefix), SIZE_MAX, route_is_good, &of);

	gone += json_list_keep(
		&n->primary_routes, sizeof(struct ipprefix), SIZE_MAX, route_is_good, &of);
	if (gone)
		netmap_fault(c, MAP_ROUTES, n->name ? n->name : "",
			"a route of it leads to where no route may lead");
	(void)json_list_keep(
		&n->endpoints, sizeof(struct ipport), SIZE_MAX, endpoint_is_good, NULL);
	if (n->home_derp > MAP_REGION_MAX)
		n->home_derp = 0;
}

static const char *text_fault(const struct tc_node *n)
{
	if (n->name && strlen(n->name) > HOST_MAX + 1)
		return "its name is too long";
	return n->stable_id && strlen(n->stable_id) > MAP_ID_MAX ? "its ID is too long" : NULL;
}

struct of_map {
	struct netmap_check *c;
	const struct netmap_check_by *by;
	const struct tc_node *self;
};

static const char *peer_fault(const struct of_map *m, const struct tc_node *n)
{
	if (n->fault)
		return n->fault;
	if (n->id <= 0)
		return "it has no number";
	if (key_is_zero(n->key.b))
		return "it has no key";
	if (m->by->own && !memcmp(m->by->own, &n->key, sizeof(n->key)))
		return "it has the key of this device";
	return text_fault(n) ? text_fault(n) : addresses_fault(n, m->self);
}

static void bad_forget(struct netmap_check *c, int64_t id)
{
	for (size_t i = 0; i < c->n_bad; i++)
		if (c->bad[i].id == id) {
			c->bad[i] = c->bad[--c->n_bad];
			return;
		}
}

static void bad_note(struct netmap_check *c, const struct tc_node *n, const char *why)
{
	struct map_bad_peer *b;

	c->refused[MAP_PEERS]++;
	bad_forget(c, n->id);
	if (c->n_bad == MAP_BAD_PEERS_MAX) {
		c->n_more++;
		return;
	}
	b = &c->bad[c->n_bad++];
	b->id = n->id;
	snprintf(b->text, sizeof(b->text), "\"%.64s\": %s",
		n->name && *n->name ? n->name : "a device without a name", why);
}

static bool peer_is_good(void *ctx, void *item)
{
	struct of_map *m = ctx;
	struct tc_node *n = item;
	const char *why = peer_fault(m, n);

	if (why) {
		bad_note(m->c, n, why);
		return false;
	}
	bad_forget(m->c, n->id);
	trim_node(m->c, n, m->self);
	return true;
}

/* A patch of a good peer leaves a good peer. */
static bool patch_is_good(void *ctx, void *item)
{
	struct of_map *m = ctx;
	struct tc_peer_change *p = item;
	bool bad_key = !p->fault && p->key &&
		       (key_is_zero(p->key->b) ||
			       (m->by->own && !memcmp(m->by->own, p->key, sizeof(*p->key))));

	if (p->fault) {
		bad_note(m->c, &(struct tc_node){ .id = p->node_id }, p->fault);
		return false;
	}
	if (bad_key) {
		m->c->refused[MAP_PEERS]++;
		return false;
	}
	(void)json_list_keep(
		&p->endpoints, sizeof(struct ipport), SIZE_MAX, endpoint_is_good, NULL);
	if (p->derp_region > MAP_REGION_MAX)
		p->derp_region = 0;
	return true;
}

static void check_peers(struct of_map *m, struct tc_map_response *r)
{
	if (m->by->first || r->peers.n) {
		m->c->n_bad = m->c->n_more = 0;
		m->c->fault[MAP_ROUTES][0] = 0;
	}
	for (size_t i = 0; i < r->peers_removed.n; i++)
		bad_forget(m->c, *JSON_AT(r->peers_removed, int64_t, i));
	(void)json_list_keep(&r->peers, sizeof(struct tc_node), SIZE_MAX, peer_is_good, m);
	(void)json_list_keep(&r->peers_changed, sizeof(struct tc_node), SIZE_MAX, peer_is_good, m);
	(void)json_list_keep(
		&r->peers_changed_patch, sizeof(struct tc_peer_change), SIZE_MAX, patch_is_good, m);
}

static const char *self_fault(const struct netmap_check_by *by, const struct tc_node *n)
{
	if (n->fault)
		return n->fault;
	if (key_is_zero(n->key.b) || (by->own && memcmp(by->own, &n->key, sizeof(n->key)) != 0))
		return "it is said to have another key than it has";
	return text_fault(n) ? text_fault(n) : addresses_fault(n, NULL);
}

static void check_self(
	struct netmap_check *c, struct tc_map_response *r, const struct netmap_check_by *by)
{
	const char *why = self_fault(by, r->node);

	c->fault[MAP_SELF][0] = 0;
	if (!why) {
		trim_node(c, r->node, NULL);
		return;
	}
	netmap_fault(c, MAP_SELF, "", why);
	r->node = NULL;
}

/* ---- All ---- */

static void make_plain(void *ctx, char *s)
{
	(void)ctx;
	for (char *p = s; (p = strpbrk(p, "\n\r\t"));)
		*p = ' ';
	text_make_plain(s, strlen(s));
}

void netmap_check(
	struct netmap_check *c, struct tc_map_response *r, const struct netmap_check_by *by)
{
	struct of_map m = { .c = c, .by = by };

	json_each_text(&tc_map_response_type, r, make_plain, NULL);
	if (r->node)
		check_self(c, r, by);
	m.self = r->node ? r->node : by->self;
	check_peers(&m, r);
	netmap_check_relays(c, r);
	netmap_check_dns(c, r);
	netmap_check_messages(c, r);
}
