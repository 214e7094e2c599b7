/* Which way the datagrams of the WireGuard engine leave. */
#include "core/magicsock/internal.h"

enum { CANDIDATES_ASKED_MAX = 8 }; /* that get an initiation while no path is proven */

/* While no path is proven, a handshake goes to all places where the peer may be: it works before disco, without a relay. */
static bool send_to_candidates(
	struct magicsock_peer *p, const struct pkt *d, struct ipport but, struct ipport nor)
{
	bool any = false;
	size_t n = 0;

	for (size_t i = 0; i < p->path.n_cand && n < CANDIDATES_ASKED_MAX; i++) {
		struct ipport a = p->path.cand[i].addr;

		if (ipport_eq(a, but) || ipport_eq(a, nor) ||
			!endpoints_can_send(p->m->endpoints, a.ip) ||
			!path_may_probe(&p->path, a, d->len, p->m->now.mono))
			continue;
		any |= output_udp(p->m, a, d, 1);
		n++;
	}
	return any;
}

/* No address is known to be the peer's now: to those that may be, within what they have earned, and through the relay. */
static bool send_by_all(
	struct magicsock_peer *p, enum wgmsg_type type, const struct pkt *d, size_t n)
{
	static const struct ipport nowhere;
	struct magicsock_route relay = output_relay_of(p);
	struct path_route r;
	bool udp, also, relayed;

	if (type == WGMSG_RESPONSE) /* what asks for it has earned it */
		peer_heard(p);
	r = path_route(&p->path, p->m->now.mono);
	udp = output_unproven(p, r.udp, d, n);
	also = output_unproven(p, r.also, d, n);
	relayed = output_on(p->m, &relay, &p->key, d, n);
	if (type == WGMSG_INITIATION) {
		udp |= send_to_candidates(p, d, udp ? r.udp : nowhere, also ? r.also : nowhere);
		handshake_begun(p);
	}
	return udp || also || relayed;
}

void send_to_peer(struct magicsock_peer *p, const struct pkt *d, size_t n)
{
	struct magicsock *m = p->m;
	struct path_route r = path_route(&p->path, m->now.mono);
	enum wgmsg_type type = n == 1 ? wgmsg_type(d->p, d->len) : WGMSG_TRANSPORT;
	bool sent;

	if (p->wireguard_only)
		sent = plain_send(p, type, d, n);
	else if (r.relay)
		sent = send_by_all(p, type, d, n);
	else
		sent = output_udp(m, r.udp, d, n);
	if (type == WGMSG_INITIATION && p->wireguard_only)
		handshake_begun(p);
	if (!sent)
		m->n.no_path += n;
	p->last_write = m->now.wall;
	path_on_send(&p->path, m->now.mono);
	peer_wake_set(p);
}

void send_reply(struct magicsock *m, const struct wg_source *to, const struct pkt *d)
{
	struct node_pub key;
	struct magicsock_route route = source_route(to, &key);

	output_on(m, &route, &key, d, 1);
}
