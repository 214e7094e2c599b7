/*
 * Peers without disco: plain WireGuard, whose only proof of an address is the answer to a handshake. Each initiation goes to one
 * address and no other, so that an answer from there shows that what we send there arrives at the peer. What it sends by itself
 * shows nothing: its source can be forged. Such a source gets what it has earned (core/path), and a handshake of ours.
 */
#include "core/magicsock/internal.h"

enum { FAITHFUL = 2 }; /* initiations without an answer before other addresses are asked */

/* A session that was made with the answer lives no longer. */
static const mono_ns proof = SEC(180);

static bool is_proven(const struct magicsock_peer *p)
{
	return ipaddr_is_set(p->plain.proven.ip) && p->m->now.mono <= p->plain.proven_until;
}

/* The next one to be asked: where the peer seems to be now, where it was, then those that the hub named, in turn. */
static struct ipport whom_to_ask(const struct magicsock_peer *p)
{
	const struct plain *n = &p->plain;
	bool elsewhere = ipaddr_is_set(p->path.last_rx_addr.ip) &&
			 !ipport_eq(p->path.last_rx_addr, n->proven);

	if (n->unanswered < FAITHFUL && elsewhere)
		return p->path.last_rx_addr;
	if (n->unanswered < FAITHFUL && is_proven(p))
		return n->proven;
	for (size_t i = 0; i < p->path.n_cand; i++) {
		struct ipport a = p->path.cand[(n->unanswered + i) % p->path.n_cand].addr;

		if (endpoints_can_send(p->m->endpoints, a.ip))
			return a;
	}
	return ipaddr_is_set(n->proven.ip) ? n->proven : p->path.last_rx_addr;
}

static bool may_ask(struct magicsock_peer *p, struct ipport a, size_t len)
{
	mono_ns now = p->m->now.mono;

	return (is_proven(p) && ipport_eq(a, p->plain.proven)) ||
	       path_spend(&p->path, a, len, now) || path_may_probe(&p->path, a, len, now);
}

static bool ask(struct magicsock_peer *p, const struct pkt *d)
{
	struct plain *n = &p->plain;
	uint32_t index = load_le32(d->p + 4);

	if (index != n->asked_index ||
		!ipaddr_is_set(n->asked.ip)) { /* else the same again, to the same address */
		n->asked_index = index;
		n->asked = whom_to_ask(p);
		n->unanswered++;
	}
	return may_ask(p, n->asked, d->len) && output_udp(p->m, n->asked, d, 1);
}

bool plain_send(struct magicsock_peer *p, enum wgmsg_type type, const struct pkt *d, size_t n)
{
	bool sent = false;

	if (type == WGMSG_INITIATION)
		return ask(p, d);
	if (type == WGMSG_RESPONSE) /* what asks for it has earned it */
		peer_heard(p);
	else if (is_proven(p))
		sent = output_udp(p->m, p->plain.proven, d, n);
	if (sent && (!ipaddr_is_set(p->path.last_rx_addr.ip) ||
			    ipport_eq(p->path.last_rx_addr, p->plain.proven)))
		return true;
	if (type != WGMSG_RESPONSE)
		peer_defer(p, DEFER_RENEW);
	return output_unproven(p, p->path.last_rx_addr, d, n) || sent;
}

void plain_answered(struct magicsock_peer *p, struct ipport from)
{
	struct plain *n = &p->plain;

	n->unanswered = 0;
	if (!ipaddr_is_set(from.ip) || !ipport_eq(from, n->asked))
		return;
	n->proven = from;
	n->proven_until = mono_add(p->m->now.mono, proof);
}
