/*
 * The data path: which way the datagrams of the WireGuard engine leave, and what becomes of those that arrive. The engine
 * must not be called from its own callbacks: what they start (magicsock_settle) is done when it has returned.
 */
#include "core/magicsock/internal.h"
#include "base/err/err.h"
#include "crypto/ct/ct.h"

#include <stdlib.h>

/* The first byte of a wg_source, before the address. */
enum { SOURCE_UDP = 1, SOURCE_RELAY = 2, SOURCE_UDP_LEN = 20, SOURCE_RELAY_LEN = 3 + KEY_LEN };

/*
 * After an initiation that may have had no path, or a peer that was not there yet. Steps of the engine's own 5 s; the other
 * side takes one each 20 ms.
 */
static const mono_ns retry_after[] = { MSEC(300), MSEC(600), MSEC(1200), MSEC(2400) };
static const mono_ns retry_gap =
	MSEC(200); /* when the peer shows up; twice as long each time, for long lines */
enum { NUDGES_MAX = 5 };
enum { STRAYS_PER_SECOND = 10 }; /* searches among all peers for the sender of a stray datagram */

/* ---- Sources ---- */

static struct wg_source source_udp(struct ipport a)
{
	struct wg_source s = { .len = SOURCE_UDP_LEN,
		.host_len = a.ip.family == 4 ? 2 + 4 : 2 + 8,
		.b = { SOURCE_UDP, a.ip.family } };

	/* The address before the port, which a flood may change as it likes. */
	memcpy(s.b + 2, a.ip.b, 16);
	store_be16(s.b + 18, a.port);
	return s;
}

struct wg_source source_relay(int region, const struct node_pub *key)
{
	struct wg_source s = { .len = SOURCE_RELAY_LEN, .b = { SOURCE_RELAY } };

	store_be16(s.b + 1, (uint16_t)region);
	memcpy(s.b + 3, key->b, KEY_LEN);
	return s;
}

/* The region, and the key that the relay vouches for. 0: it came by UDP. */
static int source_region(const struct wg_source *s, struct node_pub *ret)
{
	if (s->len != SOURCE_RELAY_LEN || s->b[0] != SOURCE_RELAY)
		return 0;
	memcpy(ret->b, s->b + 3, KEY_LEN);
	return load_be16(s->b + 1);
}

/* Unset: it came by relay. */
static struct ipport source_address(const struct wg_source *s)
{
	struct ipport a = { 0 };

	if (s->len != SOURCE_UDP_LEN || s->b[0] != SOURCE_UDP)
		return a;
	a.ip.family = s->b[1];
	memcpy(a.ip.b, s->b + 2, 16);
	a.port = load_be16(s->b + 18);
	return a;
}

/* ---- Out ---- */

void peer_wake_set(struct magicsock_peer *p)
{
	mono_ns at = mono_min(path_deadline(&p->path), p->retry_at);

	if (at == (p->wake.pos ? p->wake.at : MONO_NEVER))
		return;
	if (heap_set(&p->m->wakes, &p->wake, at) < 0)
		p->retry_at = MONO_NEVER; /* without memory the next event arms it */
}

bool to_udp(struct magicsock *m, struct ipport to, const struct wg_packet *d, size_t n)
{
	if (!ipaddr_is_set(to.ip) || !can_send_to(m, to.ip))
		return false;
	m->ops->udp_send(m->owner, to, d, n);
	return true;
}

bool to_unproven(struct magicsock_peer *p, struct ipport to, const struct wg_packet *d, size_t n)
{
	size_t k = 0;

	if (!ipaddr_is_set(to.ip))
		return false;
	while (k < n && path_spend(&p->path, to, d[k].len, p->m->now.mono))
		k++;
	p->m->n.unproven_held += n - k;
	return k && to_udp(p->m, to, d, k);
}

static bool has_session(const struct magicsock_peer *p)
{
	struct wg_peer_stats s;

	wg_peer_stats(p->wg, &s);
	return s.has_session;
}

/* While no path is proven, a handshake goes to all places where the peer may be: it works before disco, without a relay. */
static bool spray(
	struct magicsock_peer *p, const struct wg_packet *d, struct ipport but, struct ipport nor)
{
	bool any = false;
	size_t n = 0;

	for (size_t i = 0; i < p->path.n_cand && n < SPRAY_MAX; i++) {
		struct ipport a = p->path.cand[i].addr;

		if (ipport_eq(a, but) || ipport_eq(a, nor) || !can_send_to(p->m, a.ip) ||
			!path_may_probe(&p->path, a, d->len, p->m->now.mono))
			continue;
		any |= to_udp(p->m, a, d, 1);
		n++;
	}
	return any;
}

static void arm_retry(struct magicsock_peer *p)
{
	p->initiated_at = p->m->now.mono;
	if (has_session(p) || p->retries >= ARRAY_LEN(retry_after))
		return;
	p->retry_at = mono_add(p->m->now.mono, retry_after[p->retries++]);
}

/* No address is known to be the peer's now: to those that may be, within what they have earned, and through the relay. */
static bool send_by_all(
	struct magicsock_peer *p, enum wgmsg_type type, const struct wg_packet *d, size_t n)
{
	static const struct ipport nowhere;
	struct path_route r;
	bool udp, also, relay = false;

	if (type == WGMSG_RESPONSE) /* what asks for it has earned it */
		peer_heard(p);
	r = path_route(&p->path, p->m->now.mono);
	udp = to_unproven(p, r.udp, d, n);
	also = to_unproven(p, r.also, d, n);
	for (size_t i = 0; i < n; i++)
		relay |= relay_send(p, d[i].p, d[i].len);
	if (type == WGMSG_INITIATION) {
		udp |= spray(p, d, udp ? r.udp : nowhere, also ? r.also : nowhere);
		arm_retry(p);
	}
	return udp || also || relay;
}

static void sink_to_peer(struct wg_sink *s, struct wg_peer *wp, const struct wg_packet *d, size_t n)
{
	struct magicsock *m = container_of(s, struct magicsock, sink);
	struct magicsock_peer *p = wg_peer_owner(wp);
	struct path_route r = path_route(&p->path, m->now.mono);
	enum wgmsg_type type = n == 1 ? wgmsg_type(d->p, d->len) : WGMSG_TRANSPORT;
	bool sent;

	if (p->wireguard_only)
		sent = plain_send(p, type, d, n);
	else if (r.relay)
		sent = send_by_all(p, type, d, n);
	else
		sent = to_udp(m, r.udp, d, n);
	if (type == WGMSG_INITIATION && p->wireguard_only)
		arm_retry(p);
	if (!sent)
		m->n.no_path += n;
	p->last_write = m->now.wall;
	path_on_send(&p->path, m->now.mono);
	peer_wake_set(p);
}

static void sink_to_source(
	struct wg_sink *s, const struct wg_source *to, const uint8_t *d, size_t len)
{
	struct magicsock *m = container_of(s, struct magicsock, sink);
	/* Memory of the engine's that nobody writes to: wg_packet is for both directions. */
	struct wg_packet pkt = { .p = (uint8_t *)(uintptr_t)d, .len = len };
	struct node_pub key;
	int region = source_region(to, &key);

	if (region)
		relay_send_to(m, region, &key, d, len);
	else
		to_udp(m, source_address(to), &pkt, 1);
}

/* ---- In ---- */

void peer_heard(struct magicsock_peer *p)
{
	struct ipport a = source_address(wg_peer_source(p->wg));
	size_t bytes = wg_peer_take_received(p->wg);

	if (ipaddr_is_set(a.ip))
		path_on_heard(&p->path, a, bytes, p->m->now.mono);
}

static void sink_packets(struct wg_sink *s, struct wg_peer *wp, struct wg_packet *pkt, size_t n)
{
	struct magicsock *m = container_of(s, struct magicsock, sink);
	struct magicsock_peer *p = wg_peer_owner(wp);
	size_t kept = 0;

	peer_heard(p);
	for (size_t i = 0; i < n; i++)
		if (!pings_take(p, &pkt[i]))
			pkt[kept++] = pkt[i];
	if (kept)
		m->ops->packets_in(m->owner, p->id, pkt, kept);
}

static void sink_event(struct wg_sink *s, struct wg_peer *wp, enum wg_event ev)
{
	struct magicsock *m = container_of(s, struct magicsock, sink);
	struct magicsock_peer *p = wg_peer_owner(wp);

	switch (ev) {
	case WG_EV_SESSION:
		p->retry_at = MONO_NEVER;
		p->initiated_at = 0;
		p->retries = p->nudges = 0;
		peer_heard(p);
		do_later(p, LATER_ADVERTISE);
		m->ops->peer_event(m->owner, p->id, MAGICSOCK_SESSION);
		break;
	case WG_EV_ANSWERED:
		if (p->wireguard_only)
			plain_answered(p, source_address(wg_peer_source(wp)));
		break;
	case WG_EV_ROAMED:
		peer_heard(p);
		break;
	case WG_EV_UNREACHABLE:
		p->initiated_at = 0;
		p->retries = p->nudges = 0;
		m->ops->peer_event(m->owner, p->id, MAGICSOCK_UNREACHABLE);
		break;
	}
	peer_wake_set(p);
}

static struct wg_peer *sink_unknown(struct wg_sink *s, const struct node_pub *key)
{
	unknown_peer_note(container_of(s, struct magicsock, sink), key,
		0); /* all that the hub named are there already */
	return NULL;
}

static bool stray_allowed(struct magicsock *m)
{
	mono_ns gone = mono_min(m->now.mono - m->pokes_at, SEC(1));

	m->poke_tokens = MIN_OF((int64_t)STRAYS_PER_SECOND * 1000,
		m->poke_tokens + gone / MSEC(1) * STRAYS_PER_SECOND);
	if (gone >= MSEC(1))
		m->pokes_at = m->now.mono;
	if (m->poke_tokens < 1000)
		return false;
	m->poke_tokens -= 1000;
	return true;
}

/*
 * Somebody holds a session with us that we do not know: we were restarted. Rather than wait 15 s for it to notice, begin a
 * handshake with whoever it may be: the key that the relay vouches for, or a peer with this address.
 */
static void sink_no_session(struct wg_sink *s, const struct wg_source *from)
{
	struct magicsock *m = container_of(s, struct magicsock, sink);
	struct ipport a = source_address(from);
	struct node_pub key;

	if (source_region(from, &key)) {
		struct magicsock_peer *p = peer_by_key(m, &key);

		if (p)
			do_later(p, LATER_POKE);
		return;
	}
	if (!ipaddr_is_set(a.ip) || !stray_allowed(m))
		return;
	for (struct magicsock_peer *p = peer_next(m, NULL); p; p = peer_next(m, p))
		if (p->wg && !has_session(p) && path_has_candidate(&p->path, a))
			do_later(p, LATER_POKE);
}

void do_later(struct magicsock_peer *p, unsigned what)
{
	struct magicsock *m = p->m;

	if (!p->later) {
		if (m->n_later == LATER_MAX)
			return;
		m->later[m->n_later++] = p->id;
	}
	p->later |= what;
}

static void send_reply(struct magicsock *m, struct reply *r)
{
	struct magicsock_peer *p = peer_find(m, r->peer);
	struct wg_packet pkt = { .p = r->mem + WG_HEADROOM, .len = r->len };

	if (p && p->wg)
		wg_send(m->wg, p->wg, &pkt, 1, m->now);
}

void magicsock_settle(struct magicsock *m)
{
	while (m->n_later) {
		struct magicsock_peer *p = peer_find(m, m->later[--m->n_later]);
		unsigned what = p ? p->later : 0;

		if (!p)
			continue;
		p->later = 0;
		if ((what & LATER_POKE) && p->wg) {
			m->n.no_session_pokes++;
			wg_start_handshake(m->wg, p->wg, m->now);
		}
		if ((what & LATER_ADVERTISE) && p->wg)
			pings_advertise(p);
		if ((what & LATER_RENEW) && p->wg)
			wg_renew(m->wg, p->wg, m->now);
	}
	for (size_t i = 0; i < m->n_replies; i++)
		send_reply(m, &m->replies[i]);
	m->n_replies = 0;
	while (derp_settle(m) || self_settle(m))
		;
}

void wg_in(struct magicsock *m, struct wg_datagram *dg, size_t n)
{
	m->n.wg_in += n;
	wg_receive(m->wg, dg, n, m->now);
	magicsock_settle(m);
}

/* Everything but WireGuard is taken here. */
static bool is_for_engine(struct magicsock *m, const struct magicsock_datagram *d)
{
	if (stun_is(d->p, d->len) && d->p[1] == 1) {
		m->n.stun_in++;
		if (!endpoints_on_stun(m->endpoints, d->p, d->len, m->now))
			m->n.stun_unknown++;
		return false;
	}
	if (disco_looks_like(d->p, d->len)) {
		m->n.disco_in++;
		disco_in(m, d->p, d->len, d->from, 0, NULL);
		return false;
	}
	return true;
}

void magicsock_udp_in(struct magicsock *m, struct magicsock_datagram *dg, size_t n, struct now now)
{
	struct wg_datagram batch[WG_BATCH_MAX];
	size_t n_batch = 0;

	m->now = now;
	m->n.udp_in += n;
	if (!m->on || m->no_udp)
		return;
	for (size_t i = 0; i < n; i++) {
		if (!is_for_engine(m, &dg[i]))
			continue;
		batch[n_batch++] = (struct wg_datagram){
			.p = dg[i].p, .len = dg[i].len, .source = source_udp(dg[i].from)
		};
		if (n_batch == WG_BATCH_MAX) {
			wg_in(m, batch, n_batch);
			n_batch = 0;
		}
	}
	if (n_batch)
		wg_in(m, batch, n_batch);
	magicsock_settle(m);
}

void magicsock_udp_failed(struct magicsock *m, struct ipport to, struct now now)
{
	m->now = now;
	for (struct magicsock_peer *p = peer_next(m, NULL); p; p = peer_next(m, p)) {
		path_on_udp_failed(&p->path, to, now.mono);
		peer_wake_set(p);
	}
	magicsock_settle(m);
}

/* ---- From the TUN device ---- */

/* Its peer may have lost the session that we still have: packets go on through it, and beside them a handshake begins. */
static void renew_if_due(struct magicsock *m, struct wg_peer *wp)
{
	struct magicsock_peer *p = wg_peer_owner(wp);

	if (!p->renew_session)
		return;
	p->renew_session = false;
	wg_renew(m->wg, wp, m->now);
}

void magicsock_send(struct magicsock *m, struct wg_packet *pkt, size_t n, struct now now)
{
	struct wg_peer *wp, *next;

	m->now = now;
	if (!m->on || !n)
		return;
	endpoints_note_traffic(m->endpoints, now.mono);
	wp = wg_route(m->wg, pkt[0].p, pkt[0].len);
	for (size_t i = 0, run; i < n; i += run, wp = next) {
		next = wp;
		for (run = 1; i + run < n; run++) {
			next = wg_route(m->wg, pkt[i + run].p, pkt[i + run].len);
			if (next != wp)
				break;
		}
		if (wp) {
			renew_if_due(m, wp);
			wg_send(m->wg, wp, pkt + i, run, now);
		} else {
			m->n.no_route += run;
		}
	}
	magicsock_settle(m);
}

int64_t magicsock_route(const struct magicsock *m, const uint8_t *pkt, size_t len)
{
	struct wg_peer *wp = wg_route(m->wg, pkt, len);

	return wp ? ((struct magicsock_peer *)wg_peer_owner(wp))->id : 0;
}

void disco_nudge(struct magicsock_peer *p)
{
	struct magicsock *m = p->m;

	/* Each initiation makes the answer to the one before worthless: faster than the round trip would be never. */
	if (!p->wg || !p->initiated_at || m->now.mono - p->initiated_at < retry_gap << p->nudges ||
		has_session(p))
		return;
	p->nudges += p->nudges < NUDGES_MAX;
	wg_retry_handshake(m->wg, p->wg, m->now);
	peer_wake_set(p);
}

/* ---- Time ---- */

static void peer_tick(struct magicsock_peer *p)
{
	struct magicsock *m = p->m;

	path_tick(&p->path, m->now.mono);
	if (m->now.mono >= p->retry_at) {
		p->retry_at = MONO_NEVER;
		if (p->wg)
			wg_retry_handshake(m->wg, p->wg, m->now);
	}
	m->n.ping_limited += p->path.n_limited - p->limited_told;
	p->limited_told = p->path.n_limited;
	peer_wake_set(p);
}

void magicsock_tick(struct magicsock *m, struct now now)
{
	struct heap_node *n;

	m->now = now;
	if (!m->on)
		return;
	wg_tick(m->wg, now);
	while ((n = heap_pop_due(&m->wakes, now.mono)))
		peer_tick(container_of(n, struct magicsock_peer, wake));
	relays_tick(m->relays, now.mono);
	endpoints_tick(m->endpoints, now);
	pings_tick(m);
	magicsock_settle(m);
}

mono_ns magicsock_deadline(const struct magicsock *m)
{
	mono_ns at;

	if (!m->on)
		return MONO_NEVER;
	at = mono_min(wg_deadline(m->wg), heap_deadline(&m->wakes));
	at = mono_min(at, mono_min(relays_deadline(m->relays), endpoints_deadline(m->endpoints)));
	return mono_min(at, pings_deadline(m));
}

/* ---- Life ---- */

static int open_engine(struct magicsock *m)
{
	struct wg_cfg cfg = { .private = m->cfg.node,
		.mtu = m->cfg.mtu,
		.max_peers = m->cfg.max_peers,
		.rng = m->rng,
		.sink = &m->sink };
	int rc = wg_new(&m->wg, &cfg);

	ct_wipe(&cfg.private, sizeof(cfg.private));
	if (rc == 0)
		m->self = *wg_public(m->wg);
	return rc;
}

static int open_parts(struct magicsock *m)
{
	struct endpoints_cfg cfg = { .rng = m->rng,
		.can_resolve = m->ops->resolve != NULL,
		.can_measure = m->ops->measure != NULL };
	int rc = endpoints_new(&m->endpoints, &cfg);

	if (rc == 0)
		rc = relays_new(&m->relays, m->rng);
	if (rc < 0)
		return rc;
	endpoints_set_up(m->endpoints, m->on, m->now);
	relays_set_key(m->relays, m->on ? &m->cfg.node : NULL, m->now.mono);
	return 0;
}

int magicsock_new(struct magicsock **ret, const struct magicsock_cfg *cfg, struct now now)
{
	struct magicsock *m = calloc(1, sizeof(*m));
	uint8_t seed[16];
	int rc;

	if (!m)
		return -ENOMEM;
	m->cfg = *cfg;
	m->cfg.max_peers = cfg->max_peers ? cfg->max_peers : TC_PEERS_MAX;
	m->ops = cfg->ops;
	m->owner = cfg->owner;
	m->rng = cfg->rng;
	m->now = now;
	m->on = !ct_is_zero(cfg->node.b, KEY_LEN);
	m->sink = (struct wg_sink){ sink_to_peer, sink_to_source, sink_packets, sink_event,
		sink_unknown, sink_no_session };
	m->pokes_at = now.mono;
	m->poke_tokens = STRAYS_PER_SECOND * 1000;
	rng_fill(m->rng, seed, sizeof(seed));
	map_init(&m->peers, seed);
	map_init(&m->disco, seed);
	m->probes = (struct ratelimit){ .burst = MAGICSOCK_PROBE_BURST,
		.per_second = MAGICSOCK_PROBES_PER_SECOND };
	memcpy(m->probes.seed, seed, sizeof(seed));
	rng_fill(m->rng, &m->icmp_id, sizeof(m->icmp_id));
	arena_init(&m->derp_mem, 16 << 20);
	rc = key_public(cfg->disco.b, m->disco_pub.b);
	rc = rc < 0 ? rc : open_engine(m);
	rc = rc < 0 ? rc : open_parts(m);
	if (rc < 0) {
		magicsock_free(m);
		return rc;
	}
	*ret = m;
	return 0;
}

struct magicsock *magicsock_free(struct magicsock *m)
{
	if (!m)
		return NULL;
	peers_free(m);
	relays_free(m->relays);
	endpoints_free(m->endpoints);
	wg_free(m->wg);
	map_fini(&m->peers);
	map_fini(&m->disco);
	heap_fini(&m->wakes);
	arena_fini(&m->derp_mem);
	ct_wipe(m, sizeof(*m));
	free(m);
	return NULL;
}

int magicsock_set_node_key(struct magicsock *m, const struct secret_node *key, struct now now)
{
	struct secret_node none = { 0 };
	struct node_pub self;
	int rc = key_public(key ? key->b : none.b, self.b);

	m->now = now;
	if (rc < 0)
		return rc;
	peers_drop_own_key(m, &self);
	rc = wg_set_private(m->wg, key ? key : &none, now.mono);
	if (rc < 0)
		return rc;
	m->cfg.node = key ? *key : none;
	m->on = key && !ct_is_zero(key->b, KEY_LEN);
	m->self = self;
	relays_set_key(m->relays, m->on ? &m->cfg.node : NULL, now.mono);
	endpoints_set_up(m->endpoints, m->on, now);
	magicsock_settle(m);
	return 0;
}

const struct disco_pub *magicsock_disco_key(const struct magicsock *m)
{
	return &m->disco_pub;
}

const struct magicsock_counters *magicsock_counters(const struct magicsock *m)
{
	return &m->n;
}

const struct wg_counters *magicsock_wg_counters(const struct magicsock *m)
{
	return wg_counters(m->wg);
}
