/*
 * A batch's way in: each datagram is told by its first bytes, what is WireGuard's goes through the engine, and what comes out of it
 * waits for the owner (magicsock_next_packets).
 */
#include "core/magicsock/internal.h"

/* ---- Into the engine ---- */

/* Those that are for us do not go on. The engine has returned: what they ask for is done at once. */
static void take_own(struct magicsock *m, size_t from)
{
	size_t kept = from;

	for (size_t i = from; i < m->n_inner; i++) {
		if (pings_take(m->inner_peer[i], &m->inner[i]))
			continue;
		if (m->n_masqueraded)
			masquerade_in(m->inner_peer[i], &m->inner[i]);
		m->inner[kept] = m->inner[i];
		m->inner_peer[kept++] = m->inner_peer[i];
	}
	m->n_inner = kept;
}

static void into_engine(struct magicsock *m, struct wg_datagram *dg, size_t n)
{
	size_t before = m->n_inner;

	m->n.wg_in += n;
	wg_receive(m->wg, dg, n, m->now);
	(void)engine_drain(m);
	take_own(m, before);
}

/* ---- By UDP ---- */

/* Everything but WireGuard is taken here. */
static bool is_for_engine(struct magicsock *m, const struct magicsock_datagram *d)
{
	struct magicsock_route from;

	if (stun_is(d->p, d->len) && d->p[1] == 1) {
		m->n.stun_in++;
		if (!endpoints_on_stun(m->endpoints, d->p, d->len, m->now))
			m->n.stun_unknown++;
		return false;
	}
	if (disco_looks_like(d->p, d->len)) {
		m->n.disco_in++;
		from = route_direct(d->from);
		disco_in(m, d->p, d->len, &from, NULL);
		(void)engine_drain(m); /* a handshake may have begun */
		return false;
	}
	return true;
}

void receive_udp(struct magicsock *m, struct magicsock_datagram *dg, size_t n)
{
	struct wg_datagram batch[PKT_BATCH_MAX];
	size_t n_batch = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_for_engine(m, &dg[i]))
			continue;
		batch[n_batch++] = (struct wg_datagram){
			.p = dg[i].p, .len = dg[i].len, .source = source_udp(dg[i].from)
		};
		if (n_batch == PKT_BATCH_MAX) {
			into_engine(m, batch, n_batch);
			n_batch = 0;
		}
	}
	if (n_batch)
		into_engine(m, batch, n_batch);
}

/* ---- Through a relay ---- */

static void note_if_unknown_peer(struct magicsock *m, const struct relays_packet *pkt)
{
	if (disco_looks_like(pkt->p, pkt->len) || wgmsg_type(pkt->p, pkt->len) == WGMSG_INITIATION)
		handshake_unknown_peer(m, &pkt->from, pkt->region);
}

/* True: it is for the WireGuard engine. */
static bool got_packet(struct magicsock *m, const struct relays_packet *pkt)
{
	struct magicsock_peer *p = peer_by_key(m, &pkt->from);
	struct magicsock_route from;

	m->n.relay_in++;
	if (!p || pkt->len > DERP_PACKET_MAX) {
		m->n.relay_no_peer++;
		if (!p)
			note_if_unknown_peer(m, pkt);
		return false;
	}
	relays_note_used(m->relays, pkt->region, m->now.mono);
	p->last_region = pkt->region;
	if (!disco_looks_like(pkt->p, pkt->len))
		return true;
	m->n.disco_in++;
	from = route_relay(pkt->region);
	disco_in(m, pkt->p, pkt->len, &from, &pkt->from);
	(void)engine_drain(m);
	return false;
}

static void got_peer_gone(struct magicsock *m, const struct relays_packet *gone)
{
	struct magicsock_peer *p = peer_by_key(m, &gone->from);

	if (p && p->last_region == gone->region)
		p->last_region = 0;
}

bool receive_relayed(struct magicsock *m)
{
	struct wg_datagram batch[PKT_BATCH_MAX];
	struct relays_packet pkt;
	size_t n = 0;
	bool any = false;

	while (n < PKT_BATCH_MAX && relays_next_packet(m->relays, &pkt)) {
		any = true;
		if (pkt.type == RELAYS_PEER_GONE)
			got_peer_gone(m, &pkt);
		else if (m->on && got_packet(m, &pkt))
			batch[n++] = (struct wg_datagram){ .p = pkt.p,
				.len = pkt.len,
				.source = source_relay(pkt.region, &pkt.from) };
	}
	if (n)
		into_engine(m, batch, n);
	return any;
}
