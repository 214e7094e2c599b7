/* Who is who in the map: by number, by address, as the exit node. */
#include "core/node/state/state.h"

struct node_peer *node_peer_find(const struct node *a, int64_t id)
{
	struct map_node *n = map_find(&a->peers, &id, sizeof(id));

	return n ? container_of(n, struct node_peer, node) : NULL;
}

bool node_peer_is_jailed(const struct node *a, int64_t id)
{
	const struct node_peer *p = a->n_jailed ? node_peer_find(a, id) : NULL;

	return p && p->jailed;
}

bool node_has_address(const struct tc_node *n, struct ipprefix p)
{
	for (size_t i = 0; n && i < n->addresses.n; i++)
		if (ipprefix_eq(*JSON_AT(n->addresses, struct ipprefix, i), p))
			return true;
	return false;
}

bool node_is_exit_node(const struct node *a, const struct tc_node *n)
{
	const char *id = prefs_of(a)->exit_node_id;

	return id && *id && n->stable_id && !strcmp(id, n->stable_id);
}

bool node_has_cap(const struct tc_node *n, const char *name)
{
	return json_map_find(&n->cap_map, name) != NULL;
}

bool node_offers_exit(const struct tc_node *n)
{
	unsigned have = 0;

	for (size_t i = 0; i < n->allowed_ips.n; i++) {
		struct ipprefix p = *JSON_AT(n->allowed_ips, struct ipprefix, i);

		if (p.bits == 0)
			have |= p.ip.family == 4 ? 1 : 2;
	}
	return have == 3;
}

const struct tc_node *node_exit_node(const struct node *a, struct arena *mem)
{
	size_t n = netmap_n_peers(a->nm);
	const struct tc_node **peers = arena_array(mem, n, sizeof(*peers));

	if (!peers)
		return NULL;
	netmap_peers(a->nm, peers);
	for (size_t i = 0; i < n; i++)
		if (node_is_exit_node(a, peers[i]))
			return peers[i];
	return NULL;
}

/* The head of a packet to an address: magicsock routes packets. */
static int64_t route_to(const struct node *a, struct ipaddr ip)
{
	uint8_t head[IP6_LEN] = { ip.family == 4 ? 0x45 : 0x60 };

	if (ip.family == 4)
		memcpy(head + 16, ip.b, 4);
	else
		memcpy(head + 24, ip.b, 16);
	return magicsock_peer_for(a->magicsock, head, sizeof(head));
}

const struct tc_node *node_whois(const struct node *a, struct ipaddr ip)
{
	const struct tc_node *self = self_of(a), *n;

	if (!ipaddr_is_set(ip) || !self)
		return NULL;
	if (node_has_address(self, ipprefix_single(ip)))
		return self;
	n = netmap_peer(a->nm, route_to(a, ip));
	return n && node_has_address(n, ipprefix_single(ip)) ? n : NULL;
}

/* Who has an address, also of peers whose key has expired: nothing is routed to those. NULL: nobody. */
const struct tc_node *node_peer_at(const struct node *a, struct ipaddr ip)
{
	size_t n = netmap_n_peers(a->nm);
	const struct tc_node *found = netmap_peer(a->nm, route_to(a, ip));
	const struct tc_node **all = found ? NULL : malloc((n + 1) * sizeof(*all));

	if (all)
		netmap_peers(a->nm, all);
	for (size_t i = 0; all && i < n && !found; i++)
		if (node_has_address(all[i], ipprefix_single(ip)))
			found = all[i];
	free(all);
	return found;
}

int64_t node_service_port(const struct tc_node *n, const char *proto)
{
	int64_t port = 0;

	for (size_t i = 0; n->hostinfo && i < n->hostinfo->services.n; i++) {
		const struct tc_service *s = JSON_AT(n->hostinfo->services, struct tc_service, i);

		if (s->proto && !strcmp(s->proto, proto))
			port = s->port;
	}
	return port;
}

struct ipaddr node_address_of(const struct tc_node *n, unsigned family)
{
	for (size_t i = 0; n && i < n->addresses.n; i++) {
		struct ipprefix p = *JSON_AT(n->addresses, struct ipprefix, i);

		if (p.ip.family == family && p.bits == ipaddr_bits(p.ip))
			return p.ip;
	}
	return (struct ipaddr){ 0 };
}

struct ipport node_peerapi_of(const struct node *a, const struct tc_node *n)
{
	int64_t port4 = node_service_port(n, "peerapi4"), port6 = node_service_port(n, "peerapi6");

	if (port4 > 0 && port4 <= UINT16_MAX && ipaddr_is_set(node_address_of(self_of(a), 4)))
		return (struct ipport){ node_address_of(n, 4), (uint16_t)port4 };
	if (port6 > 0 && port6 <= UINT16_MAX && ipaddr_is_set(node_address_of(self_of(a), 6)))
		return (struct ipport){ node_address_of(n, 6), (uint16_t)port6 };
	return (struct ipport){ 0 };
}

const char *node_region_code(const struct node *a, int64_t region)
{
	const struct tc_derp_map *map = netmap_derp_map(a->nm);

	for (size_t i = 0; map && i < map->regions.n; i++) {
		const struct tc_derp_region *r = map->regions.v[i].value;

		if (r->id == region && r->code)
			return r->code;
	}
	return "";
}
