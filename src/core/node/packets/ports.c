/*
 * Packet ports: which of them has an address of this device's own, and what waits for whom. Packets between the system and another port
 * never leave this device, so no filter is asked.
 */
#include "core/node/packets/packets.h"
#include "proto/ip/ip.h"
#include "proto/tsaddr/tsaddr.h"

/* Offsets of addresses. */
enum { IP4_SRC = 12, IP4_DST = 16, IP6_SRC = 8, IP6_DST = 24 };

static enum node_port port_at(const struct node *a, const struct pkt *pkt, int ip4, int ip6)
{
	const uint8_t *p = pkt->p;
	bool is_service = false;

	if (!a->ports.open[NODE_PORT_QUAD100])
		return NODE_PORT_TUN;
	if (pkt->len >= IP4_LEN && p[0] >> 4 == 4)
		is_service = !memcmp(p + ip4, tsaddr_service.b, 4);
	else if (pkt->len >= IP6_LEN && p[0] >> 4 == 6)
		is_service = !memcmp(p + ip6, tsaddr_service6.b, 16);
	return is_service ? NODE_PORT_QUAD100 : NODE_PORT_TUN;
}

enum node_port node_ports_find(const struct node *a, const struct pkt *pkt)
{
	return port_at(a, pkt, IP4_DST, IP6_DST);
}

bool node_ports_forged(const struct node *a, const struct pkt *pkt)
{
	return port_at(a, pkt, IP4_SRC, IP6_SRC) != NODE_PORT_TUN;
}

void node_ports_give(struct node *a, enum node_port to, const struct pkt *pkt)
{
	struct node_ports *w = &a->ports;

	CHECK(w->n < PKT_BATCH_MAX);
	w->to[w->n] = to;
	w->pkt[w->n++] = *pkt;
}

void node_ports_in(struct node *a, struct pkt *pkt, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct ip_pkt ip;

		a->counters.ports_in++;
		ip_decode(pkt[i].p, pkt[i].len, &ip);
		if (ip.version && node_has_address(self_of(a), ipprefix_single(ip_dst(&ip))))
			node_ports_give(a, NODE_PORT_TUN, &pkt[i]);
		else
			a->counters.ports_dropped++;
	}
}

bool node_ports_next(struct node *a, struct node_packets *ret)
{
	struct node_ports *w = &a->ports;
	size_t at = w->next, end = at;

	while (end < w->n && w->to[end] == w->to[at])
		end++;
	w->next = end;
	if (end == at)
		return false;
	*ret = (struct node_packets){ .port = w->to[at], .pkt = &w->pkt[at], .n = end - at };
	if (ret->port != NODE_PORT_TUN)
		a->counters.ports_out += ret->n;
	return true;
}

void node_ports_forget(struct node *a)
{
	a->counters.ports_dropped += a->ports.n - a->ports.next;
	a->ports.n = a->ports.next = 0;
}
