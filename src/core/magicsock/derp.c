/* Between the relays and the peers: what comes through a relay, what goes through one, and what the relays ask of the owner. */
#include "core/magicsock/internal.h"
#include "base/err/err.h"

/* ---- In ---- */

static void note_if_unknown_peer(struct magicsock *m, const struct relays_packet *pkt)
{
	if (disco_looks_like(pkt->p, pkt->len) || wgmsg_type(pkt->p, pkt->len) == WGMSG_INITIATION)
		unknown_peer_note(m, &pkt->from, pkt->region);
}

/* True: it is for the WireGuard engine. */
static bool got_packet(struct magicsock *m, const struct relays_packet *pkt)
{
	struct magicsock_peer *p = peer_by_key(m, &pkt->from);

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
	disco_in(m, pkt->p, pkt->len, (struct ipport){ 0 }, pkt->region, &pkt->from);
	return false;
}

static void got_peer_gone(struct magicsock *m, const struct relays_packet *gone)
{
	struct magicsock_peer *p = peer_by_key(m, &gone->from);

	if (p && p->last_region == gone->region)
		p->last_region = 0;
}

static void take_packets(struct magicsock *m)
{
	struct wg_datagram batch[WG_BATCH_MAX];
	struct relays_packet pkt;
	size_t n = 0;

	while (relays_next_packet(m->relays, &pkt)) {
		if (pkt.type == RELAYS_PEER_GONE) {
			got_peer_gone(m, &pkt);
			continue;
		}
		if (!got_packet(m, &pkt))
			continue;
		batch[n++] = (struct wg_datagram){
			.p = pkt.p, .len = pkt.len, .source = source_relay(pkt.region, &pkt.from)
		};
		if (n == WG_BATCH_MAX) {
			wg_in(m, batch, n);
			n = 0;
		}
	}
	if (n)
		wg_in(m, batch, n);
}

/* What was sent through it lately is lost, calls among it: those who look for a path look again. */
static void relay_is_back(struct magicsock *m)
{
	for (struct magicsock_peer *p = peer_next(m, NULL); p; p = peer_next(m, p)) {
		path_on_self_changed(&p->path, m->now.mono);
		peer_wake_set(p);
	}
}

bool derp_settle(struct magicsock *m)
{
	struct relays_event e;
	bool any = false;

	for (; relays_next_event(m->relays, &e); any = true)
		switch (e.type) {
		case RELAYS_HANG_UP:
			m->ops->relay_hangup(m->owner, e.region);
			break;
		case RELAYS_DIAL:
			m->ops->relay_dial(m->owner, e.region, e.node);
			break;
		case RELAYS_OUTPUT:
			m->ops->relay_wake(m->owner, e.region);
			break;
		case RELAYS_BACK:
			relay_is_back(m);
			break;
		case RELAYS_HEARD:
			endpoints_relay_heard(m->endpoints, e.region, m->now);
			break;
		case RELAYS_HOME_DOWN:
			endpoints_relay_lost(m->endpoints, e.region, m->now);
			break;
		}
	m->n.relay_idle_closed = relays_counters(m->relays)->idle_closed;
	m->n.relay_dropped = relays_counters(m->relays)->dropped;
	return any;
}

/* ---- Out ---- */

int relay_region_for(const struct magicsock_peer *p)
{
	return relays_choose(p->m->relays, p->home, p->last_region);
}

bool relay_send_to(
	struct magicsock *m, int region, const struct node_pub *key, const void *pkt, size_t len)
{
	if (!relays_send(m->relays, region, key, pkt, len, m->now.mono))
		return false;
	m->n.relay_out++;
	return true;
}

bool relay_send(struct magicsock_peer *p, const void *pkt, size_t len)
{
	int region = p->wireguard_only ? 0 : relay_region_for(p);

	return region && relay_send_to(p->m, region, &p->key, pkt, len);
}

/* ---- Streams ---- */

int magicsock_relay_connected(
	struct magicsock *m, int region, const struct node_pub *fast_key, struct now now)
{
	int rc;

	m->now = now;
	rc = relays_connected(m->relays, region, fast_key, now.mono);
	magicsock_settle(m);
	return rc;
}

int magicsock_relay_feed(
	struct magicsock *m, int region, const uint8_t *p, size_t len, struct now now)
{
	int rc;

	m->now = now;
	rc = relays_feed(m->relays, region, p, len, now.mono);
	take_packets(m);
	magicsock_settle(m);
	return rc;
}

void magicsock_relay_closed(struct magicsock *m, int region, int rc, struct now now)
{
	m->now = now;
	relays_closed(m->relays, region, rc, now.mono);
	magicsock_settle(m);
}

struct view magicsock_relay_output(struct magicsock *m, int region)
{
	return relays_output(m->relays, region);
}

void magicsock_relay_written(struct magicsock *m, int region, size_t n)
{
	relays_written(m->relays, region, n);
}

void magicsock_relays_restart(struct magicsock *m, struct now now)
{
	m->now = now;
	if (m->on)
		relays_restart(m->relays, now.mono);
	magicsock_settle(m);
}

const struct relays *magicsock_relays(const struct magicsock *m)
{
	return m->relays;
}
