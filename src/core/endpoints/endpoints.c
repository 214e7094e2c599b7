/* When a round of netcheck runs, and what follows from what it sees. */
#include "core/endpoints/internal.h"

#include <errno.h>
#include <stdlib.h>

static const mono_ns traffic_lately = SEC(45), period_min = SEC(20), period_spread = SEC(6);

bool endpoints_can_send(const struct endpoints *e, struct ipaddr to)
{
	return !e->no_udp && (to.family == 4 ? e->port4 : e->port6) != 0;
}

/* ---- The list ---- */

static bool list_has(const struct endpoint *v, size_t n, struct ipport a)
{
	for (size_t i = 0; i < n; i++)
		if (ipport_eq(v[i].addr, a))
			return true;
	return false;
}

static void list_add(struct endpoint *v, size_t *n, struct ipport a, enum endpoint_type type)
{
	if (*n < ENDPOINTS_MAX && ipaddr_is_set(a.ip) && a.port && !list_has(v, *n, a))
		v[(*n)++] = (struct endpoint){ .addr = a, .type = type };
}

static size_t list_now(struct endpoints *e, struct endpoint *ret)
{
	size_t n = 0;

	if (e->no_udp)
		return 0;
	endpoints_seen_expire(&e->seen, e->now.mono);
	for (size_t i = e->seen.n; i-- > 0;)
		list_add(ret, &n, e->seen.v[i].e.addr, e->seen.v[i].e.type);
	for (size_t i = 0; i < e->local.n; i++) {
		struct ipaddr a = e->local.v[i];

		list_add(ret, &n, (struct ipport){ a, a.family == 4 ? e->port4 : e->port6 },
			ENDPOINT_LOCAL);
	}
	return n;
}

static bool same_set(const struct endpoint *a, size_t n_a, const struct endpoint *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!list_has(b, n_b, a[i].addr))
			return false;
	return true;
}

static void update_list(struct endpoints *e)
{
	struct endpoint now[ENDPOINTS_MAX];
	size_t n = list_now(e, now);

	if (same_set(now, n, e->list, e->n_list))
		return;
	memcpy(e->list, now, n * sizeof(now[0]));
	e->n_list = n;
	e->changed |= ENDPOINTS_LIST;
}

/* ---- What netcheck asks for ---- */

static bool may_send(struct endpoints *e, struct ipport to)
{
	if (!endpoints_can_send(e, to.ip))
		return false;
	if (ratelimit_allow(&e->stun, ipaddr_place(&to.ip), e->now.mono) &&
		bucket_take(&e->stun_all, 1, e->now.mono))
		return true;
	e->n.stun_limited++;
	return false;
}

static const struct tc_derp_region *region_find(const struct tc_derp_map *map, int region)
{
	for (size_t i = 0; map && i < map->regions.n; i++) {
		const struct tc_derp_region *r = map->regions.v[i].value;

		if (r->id == region)
			return r;
	}
	return NULL;
}

/* Its first relay; NULL: none. */
static const struct tc_derp_node *relay_of(const struct endpoints *e, int region)
{
	const struct tc_derp_region *r = region_find(e->map, region);

	for (size_t i = 0; r && i < r->nodes.n; i++) {
		const struct tc_derp_node *node = JSON_AT(r->nodes, struct tc_derp_node, i);

		if (!node->stun_only)
			return node;
	}
	return NULL;
}

/* False: not to be done. */
static bool event_of(
	struct endpoints *e, const struct netcheck_request *r, struct endpoints_event *ret)
{
	*ret = (struct endpoints_event){ .to = r->to, .host = r->host, .region = r->region };
	switch (r->kind) {
	case NETCHECK_SEND:
		ret->type = ENDPOINTS_SEND;
		memcpy(ret->request, r->request, sizeof(ret->request));
		return may_send(e, r->to);
	case NETCHECK_RESOLVE:
		ret->type = ENDPOINTS_RESOLVE;
		return true;
	case NETCHECK_MEASURE:
		ret->type = ENDPOINTS_MEASURE;
		ret->node = relay_of(e, r->region);
		return ret->node != NULL;
	}
	return false;
}

/* ---- Rounds ---- */

static void start_round(struct endpoints *e, bool full)
{
	if (!e->up || !e->map || !e->local_known)
		return;
	if (netcheck_running(e->nc)) {
		e->check_again = true;
		e->check_full = e->check_full || full;
		return;
	}
	e->check_again = e->check_full = false;
	netcheck_start(e->nc, full, e->now.mono);
}

static bool has_traffic(const struct endpoints *e)
{
	return e->has_peers && e->last_traffic && e->now.mono - e->last_traffic <= traffic_lately;
}

static void round_done(struct endpoints *e)
{
	struct tc_netinfo ni = endpoints_netinfo_now(e);

	e->checked_at = e->now.mono;
	e->checked_wall = e->now.wall;
	e->check_at = MONO_NEVER;
	if (has_traffic(e))
		e->check_at = mono_add(e->now.mono,
			period_min + (mono_ns)rng_below(e->rng, (uint64_t)period_spread));
	update_list(e); /* what has expired goes with it */
	if (!json_same(&tc_netinfo_type, &ni, &e->netinfo)) {
		e->netinfo = ni;
		e->changed |= ENDPOINTS_NETINFO;
	}
	if (e->check_again)
		start_round(e, e->check_full);
}

/* After each call of netcheck: what it has told. */
static void settle(struct endpoints *e)
{
	unsigned told;

	while ((told = netcheck_take_changed(e->nc))) {
		if (told & NETCHECK_ADDRESS) {
			endpoints_seen_add(&e->seen, netcheck_now(e->nc), e->port4, e->now.mono);
			update_list(e);
		}
		if (told & NETCHECK_HOME)
			e->changed |= ENDPOINTS_HOME;
		if (told & NETCHECK_DONE)
			round_done(e);
	}
}

/* ---- Life ---- */

int endpoints_new(struct endpoints **ret, const struct endpoints_cfg *cfg)
{
	struct endpoints *e = calloc(1, sizeof(*e));
	struct netcheck_cfg nc = {
		.rng = cfg->rng, .can_resolve = cfg->can_resolve, .can_measure = cfg->can_measure
	};
	int rc = e ? netcheck_new(&e->nc, &nc) : -ENOMEM;

	if (rc < 0) {
		free(e);
		return rc;
	}
	e->rng = cfg->rng;
	e->check_at = MONO_NEVER;
	e->stun = (struct ratelimit){ .burst = ENDPOINTS_STUN_BURST,
		.per_second = ENDPOINTS_STUN_PER_SECOND };
	bucket_init(&e->stun_all, ENDPOINTS_STUN_PER_SECOND_ALL, ENDPOINTS_STUN_BURST_ALL);
	rng_fill(e->rng, e->stun.seed, sizeof(e->stun.seed));
	*ret = e;
	return 0;
}

struct endpoints *endpoints_free(struct endpoints *e)
{
	if (!e)
		return NULL;
	netcheck_free(e->nc);
	free(e);
	return NULL;
}

/* ---- What the owner knows ---- */

void endpoints_set_up(struct endpoints *e, bool up, struct now now)
{
	e->now = now;
	e->up = up;
	if (up)
		start_round(e, true);
	else
		netcheck_reset(e->nc);
	settle(e);
}

void endpoints_set_has_peers(struct endpoints *e, bool has_peers, struct now now)
{
	bool first = has_peers && !e->has_peers;

	e->has_peers = has_peers;
	if (first)
		endpoints_check(e, false, now);
}

int endpoints_set_map(struct endpoints *e, const struct tc_derp_map *map, struct now now)
{
	int rc = netcheck_set_map(e->nc, map);

	if (rc < 0)
		return rc;
	e->map = map;
	endpoints_check(e, true, now);
	return 0;
}

/* A round that runs over families that were others is begun anew. */
static void set_families(struct endpoints *e)
{
	bool have4 = false, have6 = false;
	unsigned families;

	for (size_t i = 0; i < e->local.n; i++) {
		have4 = have4 || e->local.v[i].family == 4;
		have6 = have6 || e->local.v[i].family == 6;
	}
	have4 = have4 && e->port4 && !e->no_udp;
	have6 = have6 && e->port6 && !e->no_udp;
	families = (have4 ? 1u : 0) | (have6 ? 2u : 0);
	if (families != e->families && netcheck_running(e->nc))
		netcheck_reset(e->nc);
	e->families = families;
	netcheck_set_families(e->nc, have4, have6);
}

static unsigned link_changed(struct endpoints *e, bool changed, bool cut)
{
	set_families(e);
	if (!e->up)
		changed = cut = false;
	if (changed) {
		e->seen.n = 0;
		netcheck_reset(e->nc);
	}
	update_list(e);
	return (changed ? ENDPOINTS_LINK_CHANGED : 0u) | (cut ? ENDPOINTS_LINK_CUT : 0u);
}

unsigned endpoints_set_local(struct endpoints *e, const struct ipprefix *addrs, size_t n,
	uint16_t port4, uint16_t port6, bool changed, struct now now)
{
	struct endpoints_local local;
	bool same, cut = false;
	unsigned ret;

	e->now = now;
	endpoints_local_choose(&local, addrs, n);
	same = local.n == e->local.n && port4 == e->port4 && port6 == e->port6;
	for (size_t i = 0; i < e->local.n; i++)
		cut = cut || !endpoints_local_has(&local, e->local.v[i]);
	changed = changed || cut;
	for (size_t i = 0; i < local.n; i++)
		same = same && endpoints_local_has(&e->local, local.v[i]);
	if (same && !changed && e->local_known)
		return 0;
	e->local = local;
	e->local_known = true;
	e->port4 = port4;
	e->port6 = port6;
	ret = link_changed(e, changed, cut);
	endpoints_check(e, changed, now);
	return ret;
}

unsigned endpoints_set_no_udp(struct endpoints *e, bool no_udp, struct now now)
{
	unsigned ret;

	e->now = now;
	if (e->no_udp == no_udp)
		return 0;
	e->no_udp = no_udp;
	ret = link_changed(e, true, false);
	endpoints_check(e, true, now);
	return ret;
}

void endpoints_set_hub_up(struct endpoints *e, bool up)
{
	netcheck_set_may_move(e->nc, up);
}

void endpoints_hint_home(struct endpoints *e, int region)
{
	netcheck_hint_home(e->nc, region);
}

/* ---- What happens ---- */

void endpoints_note_traffic(struct endpoints *e, mono_ns now)
{
	e->last_traffic = now;
	/* After a pause: the NAT may have forgotten us. */
	if (e->check_at == MONO_NEVER && !netcheck_running(e->nc))
		e->check_at = MAX_OF(now, mono_add(e->checked_at, period_min));
}

bool endpoints_on_stun(struct endpoints *e, const uint8_t *pkt, size_t len, struct now now)
{
	bool ours;

	e->now = now;
	ours = netcheck_on_stun(e->nc, pkt, len, now.mono);
	settle(e);
	return ours;
}

void endpoints_resolved(
	struct endpoints *e, const char *host, const struct ipaddr *addrs, size_t n, struct now now)
{
	e->now = now;
	netcheck_resolved(e->nc, host, addrs, n, now.mono);
	settle(e);
}

void endpoints_measured(struct endpoints *e, int region, mono_ns latency, struct now now)
{
	e->now = now;
	netcheck_measured(e->nc, region, latency, now.mono);
	settle(e);
}

void endpoints_relay_heard(struct endpoints *e, int region, struct now now)
{
	e->now = now;
	netcheck_on_relay_heard(e->nc, region, now.mono);
	settle(e);
}

void endpoints_relay_lost(struct endpoints *e, int region, struct now now)
{
	netcheck_on_relay_lost(e->nc, region);
	endpoints_check(e, true, now);
}

void endpoints_check(struct endpoints *e, bool full, struct now now)
{
	e->now = now;
	start_round(e, full);
	settle(e);
}

bool endpoints_next_event(struct endpoints *e, struct endpoints_event *ret)
{
	struct netcheck_request r;

	while (netcheck_next(e->nc, &r))
		if (event_of(e, &r, ret))
			return true;
	*ret = (struct endpoints_event){ .type = ENDPOINTS_CHANGED, .what = e->changed };
	e->changed = 0;
	return ret->what != 0;
}

/* ---- Time ---- */

void endpoints_tick(struct endpoints *e, struct now now)
{
	e->now = now;
	netcheck_tick(e->nc, now.mono);
	if (now.mono >= e->check_at) {
		e->check_at = MONO_NEVER;
		if (has_traffic(e))
			start_round(e, false);
	}
	settle(e);
}

mono_ns endpoints_deadline(const struct endpoints *e)
{
	return mono_min(netcheck_deadline(e->nc), e->check_at);
}

/* ---- What is ---- */

const struct endpoint *endpoints_list(const struct endpoints *e, size_t *ret_n)
{
	*ret_n = e->n_list;
	return e->list;
}

int endpoints_home(const struct endpoints *e)
{
	return netcheck_home(e->nc);
}

bool endpoints_is_checking(const struct endpoints *e)
{
	return netcheck_running(e->nc);
}

mono_ns endpoints_checked_at(const struct endpoints *e)
{
	return e->checked_at;
}

const struct endpoints_counters *endpoints_counters(const struct endpoints *e)
{
	return &e->n;
}
