/* A datagram leaves: by UDP, or through a relay. */
#include "core/magicsock/internal.h"

bool output_udp(struct magicsock *m, struct ipport to, const struct pkt *d, size_t n)
{
	if (!ipaddr_is_set(to.ip) || !endpoints_can_send(m->endpoints, to.ip))
		return false;
	m->ops->udp_send(m->owner, to, d, n);
	return true;
}

bool output_unproven(struct magicsock_peer *p, struct ipport to, const struct pkt *d, size_t n)
{
	size_t k = 0;

	if (!ipaddr_is_set(to.ip))
		return false;
	while (k < n && path_spend(&p->path, to, d[k].len, p->m->now.mono))
		k++;
	p->m->n.unproven_held += n - k;
	return k && output_udp(p->m, to, d, k);
}

struct magicsock_route output_relay_of(const struct magicsock_peer *p)
{
	/* Who has no disco has no relay. */
	return route_relay(
		p->wireguard_only ? 0 : relays_choose(p->m->relays, p->home, p->last_region));
}

static bool through_relay(
	struct magicsock *m, int region, const struct node_pub *key, const struct pkt *d, size_t n)
{
	size_t sent = 0;

	for (size_t i = 0; i < n; i++)
		sent += relays_send(m->relays, region, key, d[i].p, d[i].len, m->now.mono);
	m->n.relay_out += sent;
	return sent > 0;
}

bool output_on(struct magicsock *m, const struct magicsock_route *to, const struct node_pub *key,
	const struct pkt *d, size_t n)
{
	switch (to->kind) {
	case MAGICSOCK_DIRECT:
		return output_udp(m, to->addr, d, n);
	case MAGICSOCK_RELAY:
		return through_relay(m, to->region, key, d, n);
	case MAGICSOCK_PEER_RELAY:
	case MAGICSOCK_NO_ROUTE:
		break;
	}
	return false;
}
