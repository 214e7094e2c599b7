/* A datagram leaves: by UDP, or through a relay. */
#include "core/magicsock/internal.h"

bool output_udp(struct magicsock *m, struct ipport to, const struct wg_packet *d, size_t n)
{
	if (!ipaddr_is_set(to.ip) || !endpoints_can_send(m->endpoints, to.ip))
		return false;
	m->ops->udp_send(m->owner, to, d, n);
	return true;
}

bool output_unproven(
	struct magicsock_peer *p, struct ipport to, const struct wg_packet *d, size_t n)
{
	size_t k = 0;

	if (!ipaddr_is_set(to.ip))
		return false;
	while (k < n && path_spend(&p->path, to, d[k].len, p->m->now.mono))
		k++;
	p->m->n.unproven_held += n - k;
	return k && output_udp(p->m, to, d, k);
}

int output_region(const struct magicsock_peer *p)
{
	return relays_choose(p->m->relays, p->home, p->last_region);
}

bool output_relay_to(
	struct magicsock *m, int region, const struct node_pub *key, const void *pkt, size_t len)
{
	if (!relays_send(m->relays, region, key, pkt, len, m->now.mono))
		return false;
	m->n.relay_out++;
	return true;
}

bool output_relay(struct magicsock_peer *p, const void *pkt, size_t len)
{
	int region = p->wireguard_only ? 0 : output_region(p);

	return region && output_relay_to(p->m, region, &p->key, pkt, len);
}
