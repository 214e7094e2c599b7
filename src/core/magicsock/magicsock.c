/* The ways in and out, time, and life. */
#include "core/magicsock/internal.h"
#include "base/err/err.h"
#include "crypto/ct/ct.h"

#include <stdlib.h>

/* ---- In ---- */

static void forget_inner(struct magicsock *m)
{
	m->n_inner = m->next_inner = 0;
}

void magicsock_udp_in(struct magicsock *m, struct magicsock_datagram *dg, size_t n, struct now now)
{
	CHECK(n <= MAGICSOCK_BATCH_MAX);
	m->now = now;
	m->n.udp_in += n;
	forget_inner(m);
	if (!m->on || m->no_udp)
		return;
	receive_udp(m, dg, n);
	settle_all(m);
}

/* Those that lie side by side and are of one peer. */
static bool next_run(struct magicsock *m, struct magicsock_packets *ret)
{
	size_t at = m->next_inner, end = at;

	while (end < m->n_inner && m->inner_peer[end] == m->inner_peer[at])
		end++;
	m->next_inner = end;
	if (end > at)
		*ret = (struct magicsock_packets){
			.peer = m->inner_peer[at]->id, .pkt = &m->inner[at], .n = end - at
		};
	return end > at;
}

bool magicsock_next_packets(struct magicsock *m, struct magicsock_packets *ret)
{
	while (!next_run(m, ret)) {
		bool any;

		forget_inner(m);
		any = receive_relayed(m);
		settle_all(m);
		if (!any)
			return false;
	}
	return true;
}

void magicsock_udp_failed(struct magicsock *m, struct ipport to, struct now now)
{
	m->now = now;
	for (struct magicsock_peer *p = peer_next(m, NULL); p; p = peer_next(m, p)) {
		path_on_udp_failed(&p->path, to, now.mono);
		peer_wake_set(p);
	}
	settle_all(m);
}

/* ---- Out ---- */

/* Its peer may have lost the session that we still have: packets go on through it, and beside them a handshake begins. */
static void renew_if_due(struct magicsock *m, struct wg_peer *wp)
{
	struct magicsock_peer *p = wg_peer_owner(wp);

	if (!p->renew_session)
		return;
	p->renew_session = false;
	wg_renew(m->wg, wp, m->now);
}

void magicsock_send(struct magicsock *m, struct pkt *pkt, size_t n, struct now now)
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
			if (m->n_masqueraded)
				masquerade_out(wg_peer_owner(wp), pkt + i, run);
			wg_send(m->wg, wp, pkt + i, run, now);
		} else {
			m->n.no_route += run;
		}
	}
	settle_all(m);
}

int64_t magicsock_peer_for(const struct magicsock *m, const uint8_t *pkt, size_t len)
{
	struct wg_peer *wp = wg_route(m->wg, pkt, len);

	return wp ? ((struct magicsock_peer *)wg_peer_owner(wp))->id : 0;
}

int magicsock_ping(struct magicsock *m, int64_t id, enum magicsock_ping_kind kind, size_t size,
	void (*fn)(void *ctx, const struct magicsock_pong *r), void *ctx, struct now now)
{
	int rc;

	m->now = now;
	rc = pings_start(m, id, kind, size, fn, ctx);
	settle_all(m);
	return rc;
}

/* ---- Streams to relays ---- */

int magicsock_relay_connected(
	struct magicsock *m, int region, const struct node_pub *fast_key, struct now now)
{
	int rc;

	m->now = now;
	rc = relays_connected(m->relays, region, fast_key, now.mono);
	settle_all(m);
	return rc;
}

int magicsock_relay_feed(
	struct magicsock *m, int region, const uint8_t *p, size_t len, struct now now)
{
	int rc;

	m->now = now;
	forget_inner(m);
	rc = relays_feed(m->relays, region, p, len, now.mono);
	settle_all(m);
	return rc;
}

void magicsock_relay_closed(struct magicsock *m, int region, int rc, struct now now)
{
	m->now = now;
	relays_closed(m->relays, region, rc, now.mono);
	settle_all(m);
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
	settle_all(m);
}

const struct relays *magicsock_relays(const struct magicsock *m)
{
	return m->relays;
}

/* ---- Time ---- */

static void peer_tick(struct magicsock_peer *p)
{
	struct magicsock *m = p->m;

	path_tick(&p->path, m->now.mono);
	handshake_tick(p);
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
	do
		wg_tick(m->wg, now);
	while (engine_drain(m) && wg_deadline(m->wg) <= now.mono);
	while ((n = heap_pop_due(&m->wakes, now.mono))) {
		peer_tick(container_of(n, struct magicsock_peer, wake));
		(void)engine_drain(m);
	}
	relays_tick(m->relays, now.mono);
	endpoints_tick(m->endpoints, now);
	pings_tick(m);
	settle_all(m);
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
		.rng = m->rng };
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
	list_init(&m->deferred);
	bucket_init(&m->searches, MAGICSOCK_SEARCHES_PER_SECOND, MAGICSOCK_SEARCHES_PER_SECOND);
	rng_fill(m->rng, seed, sizeof(seed));
	map_init(&m->peers, seed);
	map_init(&m->disco, seed);
	m->probes.limit = (struct ratelimit){ .burst = MAGICSOCK_PROBE_BURST,
		.per_second = MAGICSOCK_PROBES_PER_SECOND };
	memcpy(m->probes.limit.seed, seed, sizeof(seed));
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
	settle_all(m);
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
