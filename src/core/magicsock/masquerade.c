/*
 * Peers that know us by another address than our own (a device that was shared into another tailnet): it is put into what we send
 * them, behind the owner's filter, and taken out of what they send, before it.
 */
#include "core/magicsock/internal.h"

struct ipaddr masquerade_address(const struct magicsock_peer *p, unsigned family)
{
	struct ipaddr masq = family == 4 ? p->masq4 : p->masq6;

	return ipaddr_is_set(masq) ? masq : family == 4 ? p->m->self4 : p->m->self6;
}

static bool is_masqueraded(const struct magicsock_peer *p)
{
	return ipaddr_is_set(p->masq4) || ipaddr_is_set(p->masq6);
}

void masquerade_forget(struct magicsock_peer *p)
{
	p->m->n_masqueraded -= is_masqueraded(p);
	p->masq4 = p->masq6 = (struct ipaddr){ 0 };
}

void masquerade_set(struct magicsock_peer *p, const struct tc_node *n)
{
	masquerade_forget(p);
	if (n->masq4.family == 4)
		p->masq4 = n->masq4;
	if (n->masq6.family == 6)
		p->masq6 = n->masq6;
	p->m->n_masqueraded += is_masqueraded(p);
}

static void swap(struct pkt *pkt, bool source, struct ipaddr from, struct ipaddr to)
{
	struct ip_pkt ip;

	if (!ipaddr_is_set(from) || !ipaddr_is_set(to) || pkt->len < IP4_LEN ||
		pkt->p[0] >> 4 != from.family)
		return;
	ip_decode(pkt->p, pkt->len, &ip);
	if (ip.version && ipaddr_eq(source ? ip_src(&ip) : ip_dst(&ip), from))
		ip_set_address(pkt->p, pkt->len, source, to);
}

void masquerade_out(const struct magicsock_peer *p, struct pkt *pkt, size_t n)
{
	for (size_t i = 0; is_masqueraded(p) && i < n; i++) {
		swap(&pkt[i], true, p->m->self4, p->masq4);
		swap(&pkt[i], true, p->m->self6, p->masq6);
	}
}

void masquerade_in(const struct magicsock_peer *p, struct pkt *pkt)
{
	swap(pkt, false, p->masq4, p->m->self4);
	swap(pkt, false, p->masq6, p->m->self6);
}
