/*
 * The states of a path, by what a packet does now:
 *
 *            path_on_pong                    a pong is late, or path_on_link_changed
 *   RELAY ------------------> DIRECT  ----------------------------------------------> BOTH
 *     ^    (best is set,      (best only)  <---------------------------------------- (best and relay)
 *     |     trusted)                            path_on_pong                            |
 *     +---------------------------------------------------------------------------------+
 *              ping_timed_out, path_on_udp_failed: best is cleared
 *
 * A search runs while there is no trusted direct path and something gave hope that there may be one: the first packet, a
 * call, new addresses on either side. Its steps lie ever further apart; what it does not find, the heartbeat's rounds go on
 * looking for, as long as there is traffic.
 */
#include "core/path/internal.h"

#include <stdlib.h>

/* From the beginning of a search. */
static const mono_ns steps[] = { 0, MSEC(100), MSEC(250), MSEC(500), MSEC(1000), MSEC(2000) };
static const mono_ns
	search_gap = MSEC(50),    /* between two pings of a search to one candidate */
	call_gap = MSEC(80),      /* between two calls, for whatever reasons */
	call_search_gap = SEC(1), /* between two searches that the peer's calls begin */
	ping_back_gap = MSEC(100), degrade_after = MSEC(500),
	degrade_rx_after =
		SEC(2), /* ... while packets still come from there: it may be dead one way only */
	silent_after = SEC(1), /* we send, and nothing comes back: is it still there? */
	moved_gap = SEC(
		1); /* between two times that the path is degraded as the peer seems to have moved */

void path_init(struct path *p, struct rng *rng, struct path_probes *probes)
{
	*p = (struct path){
		.rng = rng, .probes = probes, .heartbeat_at = MONO_NEVER, .search_at = MONO_NEVER
	};
}

void path_fini(struct path *p)
{
	free(p->cand);
	free(p->pings);
	*p = (struct path){ 0 };
}

/* ---- Pings ---- */

static struct path_ping *ping_at(const struct path *p, size_t i)
{
	return &p->pings[(p->ping_head + i) % p->cap_pings];
}

static bool pings_grow(struct path *p)
{
	size_t cap = p->cap_pings ? p->cap_pings * 2 : 8;
	struct path_ping *v = malloc(cap * sizeof(*v));

	if (!v)
		return false;
	for (size_t i = 0; i < p->n_pings; i++)
		v[i] = *ping_at(p, i);
	free(p->pings);
	p->pings = v;
	p->cap_pings = cap;
	p->ping_head = 0;
	return true;
}

static void forget_oldest(struct path *p)
{
	p->ping_head = (p->ping_head + 1) % p->cap_pings;
	if (p->n_unsent == p->n_pings--) {
		p->n_unsent--;
		p->n_limited++;
	}
}

/* One to be sent, at the end of the ring. NULL: no memory. */
static struct path_ping *ping_new(
	struct path *p, struct ipport to, uint32_t cookie, size_t size, mono_ns now)
{
	struct path_ping *n;

	if (p->n_pings == p->cap_pings && p->cap_pings < PATH_PINGS_MAX && !pings_grow(p))
		return NULL;
	if (p->n_pings == p->cap_pings)
		forget_oldest(p);
	n = ping_at(p, p->n_pings++);
	p->n_unsent++;
	*n = (struct path_ping){ .to = to,
		.at = now,
		.cookie = cookie,
		.size = (uint16_t)MIN_OF(size, (size_t)UINT16_MAX) };
	rng_fill(p->rng, n->txid, sizeof(n->txid));
	return n;
}

static void ping_candidate(
	struct path *p, struct path_candidate *c, uint32_t cookie, size_t size, mono_ns now)
{
	if (!p->can_ping || !budget_probe(p, c, MAX_OF(size, (size_t)PATH_PING_LEN), now))
		return;
	if (!ping_new(p, c->addr, cookie, size, now))
		return;
	c->last_ping = now;
	if (ipport_eq(c->addr, p->best) && !p->unanswered_since)
		p->unanswered_since = now;
}

static void ping_best(struct path *p, mono_ns now)
{
	struct path_candidate *c = candidate_find(p, p->best);

	if (c)
		ping_candidate(p, c, 0, 0, now);
}

static void call(struct path *p, mono_ns now)
{
	if (!p->can_ping || (p->last_call && now - p->last_call < call_gap))
		return;
	p->last_call = now;
	p->wants_call = true;
}

/* Every candidate that was not pinged within the gap; then, if wanted, the call that asks the peer to do the same. */
static void ping_all(struct path *p, mono_ns gap, bool and_call, mono_ns now)
{
	bool any = false;

	candidates_prune(p, now);
	for (size_t i = 0; i < p->n_cand; i++) {
		struct path_candidate *c = &p->cand[i];

		if (c->last_ping && now - c->last_ping < gap)
			continue;
		any = true;
		ping_candidate(p, c, 0, 0, now);
	}
	p->last_round = now;
	/* A peer of whom no address is known can still ping us. */
	if (and_call && (any || !p->n_cand))
		call(p, now);
}

/* ---- Search ---- */

static void search_step(struct path *p, mono_ns now)
{
	if (p->search_step && path_is_direct(p, now)) {
		p->search_at = MONO_NEVER;
		return;
	}
	p->search_step++;
	p->search_at = p->search_step < ARRAY_LEN(steps) ? p->search_started + steps[p->search_step]
							 : MONO_NEVER;
	ping_all(p, search_gap, p->search_calls, now);
}

static void search_begin(struct path *p, bool calls, mono_ns now)
{
	bool running = p->search_at != MONO_NEVER;

	if (!p->can_ping)
		return;
	p->search_calls = calls || (running && p->search_calls);
	p->search_started = now;
	p->search_step = 0;
	search_step(p, now);
}

static void degrade(struct path *p, mono_ns now)
{
	p->degraded = true;
	p->has_changed = true;
	if (path_is_active(p, now))
		search_begin(p, true, now);
}

/* ---- What the owner knows ---- */

void path_set_can_ping(struct path *p, bool can_ping, mono_ns now)
{
	bool could = p->can_ping;

	p->can_ping = can_ping;
	if (!can_ping)
		p->search_at = MONO_NEVER;
	else if (!could && !path_is_direct(p, now) && path_is_active(p, now))
		search_begin(p, true, now);
}

void path_set_endpoints(struct path *p, const struct ipport *eps, size_t n, mono_ns now)
{
	bool any_new = candidates_replace(p, eps, n, PATH_BY_NETMAP, now);

	if (any_new && !path_is_direct(p, now) && path_is_active(p, now))
		search_begin(p, true, now);
}

void path_on_self_changed(struct path *p, mono_ns now)
{
	if (!path_is_active(p, now))
		return;
	if (path_is_direct(p, now))
		ping_best(p, now); /* does it still work? */
	else
		search_begin(p, true, now);
}

void path_on_link_changed(struct path *p, mono_ns now)
{
	for (size_t i = 0; i < p->n_cand; i++)
		p->cand[i].latency = p->cand[i].last_ping = 0;
	/* The address stays: it may work from the new link as well, and so long packets go there and through the relay. */
	p->trust_until = p->unanswered_since = 0;
	p->last_rx_addr = (struct ipport){ 0 };
	if (path_is_active(p, now))
		search_begin(p, true, now);
}

void path_on_key_changed(struct path *p)
{
	/* The address stays, so that packets go on to it. */
	p->trust_until = p->unanswered_since = 0;
	p->last_send = p->last_round = p->last_call = 0;
	p->search_at = p->heartbeat_at = MONO_NEVER;
}

/* ---- What happens ---- */

struct path_route path_route(const struct path *p, mono_ns now)
{
	struct path_route r = { .udp = p->best, .relay = !path_is_direct(p, now) };
	bool may_be_there =
		r.relay && ipaddr_is_set(p->last_rx_addr.ip) && now - p->last_rx_at <= PATH_LAST_RX;

	if (may_be_there && !ipaddr_is_set(r.udp.ip))
		r.udp = p->last_rx_addr;
	else if (may_be_there && !ipport_eq(r.udp, p->last_rx_addr))
		r.also = p->last_rx_addr;
	return r;
}

/* A dead path shows here long before the next heartbeat. A flow that needs no answers costs a ping a second. */
static void probe_if_silent(struct path *p, mono_ns now)
{
	const struct path_candidate *c;

	if (now - p->best_rx_at < silent_after)
		return;
	c = candidate_find(p, p->best);
	if (c && now - c->last_ping >= silent_after)
		ping_best(p, now);
}

void path_on_send(struct path *p, mono_ns now)
{
	bool was_active = path_is_active(p, now);

	p->last_send = now;
	if (p->heartbeat_at == MONO_NEVER)
		p->heartbeat_at = mono_add(now, PATH_HEARTBEAT);
	if (path_is_direct(p, now)) {
		probe_if_silent(p, now);
		return;
	}
	/* The first packet in a while, or the first since trust ran out. (Doubt has begun its own search.) */
	if (!was_active || !p->search_started ||
		(!p->degraded && p->trust_until > p->search_started))
		search_begin(p, true, now);
}

/*
 * An authentic packet does not move the path, since it could be an old one that somebody sends from elsewhere. But when its
 * source is another one than before, the peer may have moved, and the path is asked at once whether it still holds.
 */
void path_on_rx(struct path *p, struct ipport from, size_t bytes, mono_ns now)
{
	bool same = ipport_eq(from, p->last_rx_addr);

	budget_rx(p, from, bytes);
	p->last_rx_addr = from;
	p->last_rx_at = now;
	if (ipport_eq(from, p->best))
		p->best_rx_at = now;
	else if (!same && path_is_direct(p, now) &&
		 (!p->moved_at || now - p->moved_at >= moved_gap)) {
		p->moved_at = now;
		degrade(p, now);
	}
}

void path_on_udp_failed(struct path *p, struct ipport to, mono_ns now)
{
	struct path_candidate *c = candidate_find(p, to);

	if (c)
		c->latency = 0;
	if (!ipport_eq(to, p->best))
		return;
	path_best_clear(p);
	if (path_is_active(p, now))
		search_begin(p, true, now);
}

void path_on_ping(struct path *p, struct ipport from, size_t len, size_t answer, mono_ns now)
{
	bool is_new, looking = p->search_at != MONO_NEVER || path_is_active(p, now);
	struct path_candidate *c = candidate_get(p, from, now, &is_new);

	if (!c)
		return;
	c->last_got_ping = now;
	budget_ping(c, len, answer);
	/*
	 * What came from there can very likely be answered there, and we know the address of a hard NAT from this only. No
	 * loop: the other side does the same only while it has no path, and our ping gives it one by its pong to us.
	 */
	if (!looking || path_is_direct(p, now) ||
		(c->last_ping_back && now - c->last_ping_back < ping_back_gap))
		return;
	c->last_ping_back =
		now; /* also if we have just pinged it: that was before the other side had opened its NAT */
	ping_candidate(p, c, 0, 0, now);
}

static void best_answered(struct path *p, struct ipport a, mono_ns latency, mono_ns now)
{
	bool was_direct = path_is_direct(p, now), other = !ipport_eq(a, p->best);

	if (other)
		p->best_credit = ipport_eq(a, p->last_rx_addr) ? p->last_rx_credit : 0;
	p->best = a;
	p->best_latency = latency;
	p->trust_until = mono_add(now, PATH_TRUST);
	p->unanswered_since = 0;
	p->best_rx_at = now;
	p->degraded = false;
	if (p->heartbeat_at == MONO_NEVER && path_is_active(p, now))
		p->heartbeat_at = mono_add(now, PATH_HEARTBEAT);
	p->has_changed |= other || !was_direct;
}

static struct path_ping *ping_find(const struct path *p, const uint8_t txid[static PATH_TXID_LEN])
{
	for (size_t i = p->n_pings; i-- > 0;) {
		struct path_ping *n = ping_at(p, i);

		if (!n->done && memcmp(n->txid, txid, PATH_TXID_LEN) == 0)
			return n;
	}
	return NULL;
}

bool path_on_pong(struct path *p, const uint8_t txid[static PATH_TXID_LEN], bool by_relay,
	mono_ns now, struct path_answer *ret)
{
	struct path_ping *n = ping_find(p, txid);
	struct path_candidate *c;

	if (!n || by_relay == ipaddr_is_set(n->to.ip))
		return false;
	n->done = true;
	*ret = (struct path_answer){ .to = n->to, .cookie = n->cookie, .latency = now - n->at };
	c = ipaddr_is_set(n->to.ip) ? candidate_find(p, n->to) : NULL;
	if (!c)
		return true;
	c->latency = ret->latency;
	if (ipport_eq(n->to, p->best) || !path_is_direct(p, now) ||
		path_better(n->to, ret->latency, p->best, p->best_latency))
		best_answered(p, n->to, ret->latency, now);
	return true;
}

void path_on_call(struct path *p, const struct ipport *eps, size_t n, mono_ns now)
{
	bool any_new = candidates_replace(p, eps, n, PATH_BY_CALL, now);
	bool running = p->search_at != MONO_NEVER;

	/* A peer with a good path hardly calls: what we hear may be all that still passes. */
	p->best_rx_at = 0;
	/* The peer has just opened its NAT for us: now is the moment, whatever we tried before. */
	for (size_t i = 0; i < p->n_cand; i++)
		p->cand[i].last_ping = 0;
	if (!path_is_direct(p, now) && (any_new || !running) &&
		now - p->search_started >= call_search_gap)
		search_begin(p, false, now);
	else
		ping_all(p, 0, false, now);
}

void path_ping(struct path *p, uint32_t cookie, size_t size, mono_ns now)
{
	bool only_best = path_is_direct(p, now);

	if (!only_best)
		(void)ping_new(p, (struct ipport){ 0 }, cookie, size, now);
	for (size_t i = 0; i < p->n_cand; i++)
		if (!only_best || ipport_eq(p->cand[i].addr, p->best))
			ping_candidate(p, &p->cand[i], cookie, size, now);
	path_on_send(p, now);
}

/* ---- Time ---- */

static void ping_timed_out(struct path *p, const struct path_ping *n, mono_ns now)
{
	if (!n->done && ipport_eq(n->to, p->best) && now > p->trust_until)
		path_best_clear(p);
}

static void expire_pings(struct path *p, mono_ns now)
{
	while (p->n_pings > p->n_unsent) {
		struct path_ping n = *ping_at(p, 0);

		if (!n.done && now - n.at < PATH_PING_TIMEOUT)
			return;
		p->ping_head = (p->ping_head + 1) % p->cap_pings;
		p->n_pings--;
		ping_timed_out(p, &n, now);
	}
}

/* A loaded path answers late, but then its own packets arrive and speak for it, for a while. */
static mono_ns degrade_at(const struct path *p)
{
	mono_ns from = MAX_OF(p->unanswered_since, p->best_rx_at);

	if (!p->unanswered_since || p->degraded)
		return MONO_NEVER;
	return mono_min(mono_add(from, MAX_OF(degrade_after, 4 * p->best_latency)),
		mono_add(p->unanswered_since, MAX_OF(degrade_rx_after, 8 * p->best_latency)));
}

static bool wants_round(const struct path *p, mono_ns now)
{
	return !path_is_direct(p, now) || !p->last_round ||
	       (p->best_latency > PATH_GOOD_ENOUGH && now - p->last_round >= PATH_UPGRADE);
}

static void heartbeat(struct path *p, mono_ns now)
{
	if (!path_is_active(p, now)) {
		p->heartbeat_at = MONO_NEVER;
		return;
	}
	p->heartbeat_at = mono_add(now, PATH_HEARTBEAT);
	if (ipaddr_is_set(p->best.ip))
		ping_best(p, now);
	if (wants_round(p, now))
		ping_all(p, PATH_PING_GAP, true, now);
}

void path_tick(struct path *p, mono_ns now)
{
	expire_pings(p, now);
	if (now >= degrade_at(p))
		degrade(p, now);
	if (now >= p->search_at)
		search_step(p, now);
	if (now >= p->heartbeat_at)
		heartbeat(p, now);
}

mono_ns path_deadline(const struct path *p)
{
	mono_ns at = mono_min(p->heartbeat_at, mono_min(p->search_at, degrade_at(p)));

	return p->n_pings ? mono_min(at, mono_add(ping_at(p, 0)->at, PATH_PING_TIMEOUT)) : at;
}

/* ---- What is to be done ---- */

bool path_next(struct path *p, struct path_out *ret)
{
	*ret = (struct path_out){ .kind = PATH_OUT_PING };
	if (p->n_unsent) {
		const struct path_ping *n = ping_at(p, p->n_pings - p->n_unsent--);

		ret->to = n->to;
		ret->size = n->size;
		memcpy(ret->txid, n->txid, sizeof(ret->txid));
		return true;
	}
	if (p->wants_call || p->has_changed) {
		bool *what = p->wants_call ? &p->wants_call : &p->has_changed;

		ret->kind = p->wants_call ? PATH_OUT_CALL : PATH_OUT_CHANGED;
		*what = false;
		return true;
	}
	return false;
}
