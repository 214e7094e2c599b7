/* What we know of ourselves and tell others: our addresses, our home, the kind of our network. */
#include "core/magicsock/internal.h"
#include "base/err/err.h"
#include "proto/tsaddr/tsaddr.h"

#include <stdlib.h>
#include <string.h>

enum { PER_PREFIX_MAX = 2, DERP_MAP_MAX = 4 << 20, DERP_MEM_MAX = 16 << 20 };

static const mono_ns keep_seen = SEC(310), /* an address that STUN saw is told for so long after */
	traffic_lately = SEC(45), period_min = SEC(20), period_spread = SEC(6);

bool can_send_to(const struct magicsock *m, struct ipaddr a)
{
	return !m->no_udp && (a.family == 4 ? m->port4 : m->port6) != 0;
}

/* ---- Endpoints ---- */

static bool list_has(const struct magicsock_endpoint *v, size_t n, struct ipport a)
{
	for (size_t i = 0; i < n; i++)
		if (ipport_eq(v[i].addr, a))
			return true;
	return false;
}

static void list_add(
	struct magicsock_endpoint *v, size_t *n, struct ipport a, enum magicsock_endpoint_type type)
{
	if (*n < MAGICSOCK_ENDPOINTS_MAX && ipaddr_is_set(a.ip) && a.port && !list_has(v, *n, a))
		v[(*n)++] = (struct magicsock_endpoint){ .addr = a, .type = type };
}

static void cache_drop(struct magicsock *m, size_t i)
{
	m->n_cached--;
	memmove(&m->cached[i], &m->cached[i + 1], (m->n_cached - i) * sizeof(m->cached[0]));
}

/* Room for one more of this address: at most so many of one address and in all, the oldest go. */
static void cache_make_room(struct magicsock *m, struct ipaddr a)
{
	size_t same = 0;

	for (size_t i = 0; i < m->n_cached; i++)
		same += ipaddr_eq(m->cached[i].e.addr.ip, a);
	for (size_t i = 0; i < m->n_cached; i++) { /* oldest first */
		bool full = m->n_cached == CACHED_MAX;

		if (full || (same >= CACHED_PER_IP && ipaddr_eq(m->cached[i].e.addr.ip, a))) {
			cache_drop(m, i);
			return;
		}
	}
}

static void cache_add(struct magicsock *m, struct ipport a, enum magicsock_endpoint_type type)
{
	if (!ipaddr_is_set(a.ip))
		return;
	for (size_t i = 0; i < m->n_cached; i++)
		if (ipport_eq(m->cached[i].e.addr, a)) {
			type = m->cached[i].e.type; /* as it was first seen */
			cache_drop(m, i);
			break;
		}
	cache_make_room(m, a.ip);
	m->cached[m->n_cached++] = (struct cached_endpoint){ .e = { a, type },
		.until = mono_add(m->now.mono, keep_seen) };
}

static void cache_report(struct magicsock *m)
{
	const struct netcheck_report *r = netcheck_now(m->nc);

	/* A router with a fixed forwarding gives it to us, whatever it does with packets that go out. */
	if (r->mapping_varies == JSON_YES && ipaddr_is_set(r->global4.ip))
		cache_add(m, (struct ipport){ r->global4.ip, m->port4 },
			MAGICSOCK_ENDPOINT_STUN_LOCAL_PORT);
	cache_add(m, r->global6, MAGICSOCK_ENDPOINT_STUN);
	for (size_t i = r->n_also4; i-- > 0;)
		cache_add(m, r->also4[i], MAGICSOCK_ENDPOINT_STUN);
	cache_add(m, r->global4, MAGICSOCK_ENDPOINT_STUN);
}

static size_t list_endpoints(struct magicsock *m, struct magicsock_endpoint *ret)
{
	size_t n = 0;

	if (m->no_udp)
		return 0;
	for (size_t i = m->n_cached; i-- > 0;) {
		if (m->now.mono > m->cached[i].until)
			cache_drop(m, i);
		else
			list_add(ret, &n, m->cached[i].e.addr, m->cached[i].e.type);
	}
	for (size_t i = 0; i < m->n_local; i++)
		list_add(ret, &n,
			(struct ipport){
				m->local[i], m->local[i].family == 4 ? m->port4 : m->port6 },
			MAGICSOCK_ENDPOINT_LOCAL);
	return n;
}

static bool same_set(const struct magicsock_endpoint *a, size_t n_a,
	const struct magicsock_endpoint *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!list_has(b, n_b, a[i].addr))
			return false;
	return true;
}

void self_update(struct magicsock *m)
{
	struct magicsock_endpoint now[MAGICSOCK_ENDPOINTS_MAX];
	size_t n = list_endpoints(m, now);

	if (same_set(now, n, m->told, m->n_told))
		return;
	memcpy(m->told, now, n * sizeof(now[0]));
	m->n_told = n;
	m->ops->self_changed(m->owner, MAGICSOCK_SELF_ENDPOINTS);
	for (struct magicsock_peer *p = m->on ? peer_next(m, NULL) : NULL; p; p = peer_next(m, p)) {
		path_on_self_changed(&p->path, m->now.mono);
		peer_wake_set(p);
	}
}

size_t magicsock_endpoints(const struct magicsock *m, struct magicsock_endpoint *ret)
{
	memcpy(ret, m->told, m->n_told * sizeof(ret[0]));
	return m->n_told;
}

/* ---- Local addresses ---- */

enum rank { NOT_TOLD, LOOPBACK, SECOND_BEST, GOOD };

static enum rank rank_of(struct ipaddr a)
{
	if (ipaddr_is_unspecified(a) || ipaddr_is_multicast(a) || tsaddr_is_tailscale(a))
		return NOT_TOLD;
	if (ipaddr_is_loopback(a))
		return LOOPBACK;
	if (a.family == 6 && ipaddr_is_link_local(a))
		return NOT_TOLD;
	if (ipaddr_is_link_local(a) || (a.family == 6 && ipaddr_is_private(a)))
		return SECOND_BEST;
	return GOOD;
}

static size_t n_of_prefix(const struct ipprefix *addrs, size_t before, struct ipprefix p)
{
	size_t n = 0;

	for (size_t i = 0; i < before; i++)
		n += ipprefix_eq(ipprefix_masked(addrs[i]), ipprefix_masked(p));
	return n;
}

static int compare_addresses(const void *a, const void *b)
{
	return ipaddr_cmp(*(const struct ipaddr *)a, *(const struct ipaddr *)b);
}

/* The best of them, sorted: those of the highest rank that is there. */
static size_t choose_local(
	const struct ipprefix *addrs, size_t n, struct ipaddr ret[static MAGICSOCK_LOCAL_ADDRS_MAX])
{
	enum rank best = NOT_TOLD;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		best = MAX_OF(best, rank_of(addrs[i].ip));
	if (best == NOT_TOLD)
		return 0;
	for (size_t i = 0; i < n && kept < MAGICSOCK_LOCAL_ADDRS_MAX; i++)
		if (rank_of(addrs[i].ip) == best &&
			(addrs[i].ip.family == 4 ||
				n_of_prefix(addrs, i, addrs[i]) < PER_PREFIX_MAX))
			ret[kept++] = addrs[i].ip;
	qsort(ret, kept, sizeof(ret[0]), compare_addresses);
	return kept;
}

static bool is_in(const struct ipaddr *v, size_t n, struct ipaddr a)
{
	for (size_t i = 0; i < n; i++)
		if (ipaddr_eq(v[i], a))
			return true;
	return false;
}

/* A round that runs over families that were others is begun anew. */
static void set_families(struct magicsock *m)
{
	bool have4 = false, have6 = false;
	unsigned families;

	for (size_t i = 0; i < m->n_local; i++) {
		have4 = have4 || m->local[i].family == 4;
		have6 = have6 || m->local[i].family == 6;
	}
	have4 = have4 && m->port4 && !m->no_udp;
	have6 = have6 && m->port6 && !m->no_udp;
	families = (have4 ? 1u : 0) | (have6 ? 2u : 0);
	if (families != m->families && netcheck_running(m->nc))
		netcheck_reset(m->nc);
	m->families = families;
	netcheck_set_families(m->nc, have4, have6);
}

static void link_changed(struct magicsock *m, bool cut)
{
	m->n_cached = 0;
	netcheck_reset(m->nc);
	for (struct magicsock_peer *p = peer_next(m, NULL); p; p = peer_next(m, p)) {
		path_on_link_changed(&p->path, m->now.mono);
		peer_wake_set(p);
	}
	relays_link_changed(m->relays, cut, m->now.mono);
}

void magicsock_set_local(struct magicsock *m, const struct ipprefix *addrs, size_t n,
	uint16_t port4, uint16_t port6, bool changed, struct now now)
{
	struct ipaddr local[MAGICSOCK_LOCAL_ADDRS_MAX];
	size_t n_local = choose_local(addrs, n, local);
	bool same = n_local == m->n_local && port4 == m->port4 && port6 == m->port6, cut = false;

	m->now = now;
	for (size_t i = 0; i < m->n_local; i++)
		cut = cut ||
		      !is_in(local, n_local, m->local[i]); /* paths from it are dead, and streams */
	changed = changed || cut;
	for (size_t i = 0; i < n_local; i++)
		same = same && is_in(m->local, m->n_local, local[i]);
	if (same && !changed && m->local_known)
		return;
	memcpy(m->local, local, n_local * sizeof(local[0]));
	m->n_local = n_local;
	m->local_known = true;
	m->port4 = port4;
	m->port6 = port6;
	set_families(m);
	if (changed && m->on)
		link_changed(m, cut);
	self_update(m);
	self_netcheck(m, changed);
	magicsock_settle(m);
}

void magicsock_set_no_udp(struct magicsock *m, bool no_udp, struct now now)
{
	m->now = now;
	if (m->no_udp == no_udp)
		return;
	m->no_udp = no_udp;
	set_families(m);
	if (m->on)
		link_changed(m, false);
	self_update(m);
	self_netcheck(m, true);
	magicsock_settle(m);
}

/* ---- Netcheck ---- */

static const struct tc_derp_region *derp_region(const struct tc_derp_map *map, int region)
{
	for (size_t i = 0; map && i < map->regions.n; i++) {
		const struct tc_derp_region *r = map->regions.v[i].value;

		if (r->id == region)
			return r;
	}
	return NULL;
}

void self_netcheck(struct magicsock *m, bool full)
{
	if (!m->on || !m->derp || !m->local_known)
		return;
	if (netcheck_running(m->nc)) {
		m->netcheck_again = true;
		m->netcheck_full = m->netcheck_full || full;
		return;
	}
	m->netcheck_again = m->netcheck_full = false;
	netcheck_start(m->nc, full, m->now.mono);
}

static void op_send(void *owner, struct ipport to, const uint8_t *req, size_t len)
{
	struct magicsock *m = owner;
	struct wg_packet d = { .p = (uint8_t *)(uintptr_t)req,
		.len = len }; /* nobody writes to it */

	if (!can_send_to(m, to.ip))
		return;
	if (!ratelimit_allow(&m->stun, ipaddr_place(&to.ip), m->now.mono) ||
		!ratelimit_allow(&m->stun_all, view_of("", 0), m->now.mono)) {
		m->n.stun_limited++;
		return;
	}
	m->ops->udp_send(m->owner, to, &d, 1);
}

static void op_resolve(void *owner, const char *host)
{
	struct magicsock *m = owner;

	m->ops->resolve(m->owner, host);
}

static void op_measure(void *owner, int region)
{
	struct magicsock *m = owner;
	const struct tc_derp_region *r = derp_region(m->derp, region);

	for (size_t i = 0; r && i < r->nodes.n; i++) {
		const struct tc_derp_node *node = JSON_AT(r->nodes, struct tc_derp_node, i);

		if (node->stun_only)
			continue;
		m->ops->measure(m->owner, region, node);
		return;
	}
}

static uint8_t yes_no(bool b)
{
	return b ? JSON_YES : JSON_NO;
}

static struct tc_netinfo netinfo_now(const struct magicsock *m)
{
	const struct netcheck_report *r = netcheck_last(m->nc);

	if (!r)
		r = netcheck_now(m->nc);
	return (struct tc_netinfo){ .mapping_varies = r->mapping_varies,
		.working_ipv6 = yes_no(r->ipv6),
		.os_has_ipv6 = yes_no(m->port6 != 0),
		.working_udp = yes_no(r->udp),
		.preferred_derp = netcheck_home(m->nc) };
}

static void round_done(struct magicsock *m)
{
	struct tc_netinfo ni = netinfo_now(m);

	m->netcheck_done_at = m->now.mono;
	m->netcheck_wall = m->now.wall;
	m->netcheck_at =
		m->peers.n_items && m->last_traffic &&
				m->now.mono - m->last_traffic <= traffic_lately
			? mono_add(m->now.mono,
				  period_min + (mono_ns)rng_below(m->rng, (uint64_t)period_spread))
			: MONO_NEVER;
	self_update(m); /* what has expired goes with it */
	if (!json_same(&tc_netinfo_type, &ni, &m->told_netinfo)) {
		m->told_netinfo = ni;
		m->ops->self_changed(m->owner, MAGICSOCK_SELF_NETINFO);
	}
	if (m->netcheck_again)
		self_netcheck(m, m->netcheck_full);
}

static void op_changed(void *owner, unsigned what)
{
	struct magicsock *m = owner;

	if (what & NETCHECK_ADDRESS) {
		cache_report(m);
		self_update(m);
	}
	if (what & NETCHECK_HOME) {
		relays_set_home(m->relays, netcheck_home(m->nc), m->now.mono);
		m->ops->self_changed(m->owner, MAGICSOCK_SELF_HOME);
	}
	if (what & NETCHECK_DONE)
		round_done(m);
}

static const struct netcheck_ops ops = { op_send, op_resolve, op_measure, op_changed };

int self_new(struct magicsock *m)
{
	struct netcheck_cfg cfg = { .rng = m->rng,
		.ops = &ops,
		.owner = m,
		.can_resolve = m->ops->resolve != NULL,
		.can_measure = m->ops->measure != NULL };

	return netcheck_new(&m->nc, &cfg);
}

void magicsock_resolved(
	struct magicsock *m, const char *host, const struct ipaddr *addrs, size_t n, struct now now)
{
	m->now = now;
	netcheck_resolved(m->nc, host, addrs, n, now.mono);
	magicsock_settle(m);
}

void magicsock_measured(struct magicsock *m, int region, mono_ns latency, struct now now)
{
	m->now = now;
	netcheck_measured(m->nc, region, latency, now.mono);
	magicsock_settle(m);
}

void magicsock_netcheck_start(struct magicsock *m, struct now now)
{
	m->now = now;
	self_netcheck(m, true);
	magicsock_settle(m);
}

bool magicsock_netcheck_running(const struct magicsock *m)
{
	return netcheck_running(m->nc);
}

void magicsock_set_hub_up(struct magicsock *m, bool up)
{
	netcheck_set_may_move(m->nc, up);
}

void magicsock_hint_home(struct magicsock *m, int region, struct now now)
{
	m->now = now;
	netcheck_hint_home(m->nc, region);
	relays_set_home(m->relays, netcheck_home(m->nc), now.mono);
	magicsock_settle(m);
}

void self_tick(struct magicsock *m)
{
	netcheck_tick(m->nc, m->now.mono);
	if (m->now.mono < m->netcheck_at)
		return;
	m->netcheck_at = MONO_NEVER;
	if (m->peers.n_items && m->now.mono - m->last_traffic <= traffic_lately)
		self_netcheck(m, false);
}

mono_ns self_deadline(const struct magicsock *m)
{
	return mono_min(netcheck_deadline(m->nc), m->netcheck_at);
}

/* ---- The DERP map ---- */

static int copy_map(const struct tc_derp_map *map, struct arena *a, struct tc_derp_map **ret)
{
	struct buf text;
	int rc;

	buf_init(&text, DERP_MAP_MAX);
	*ret = arena_new(a, struct tc_derp_map);
	rc = *ret ? json_encode(&tc_derp_map_type, map, &text) : -ENOMEM;
	if (rc == 0)
		rc = json_decode(&tc_derp_map_type, buf_data(&text), buf_len(&text), *ret, a, NULL);
	buf_fini(&text);
	return rc;
}

int magicsock_set_derp_map(struct magicsock *m, const struct tc_derp_map *map, struct now now)
{
	struct tc_derp_map *copy = NULL, *before = m->derp;
	struct arena mem, old = m->derp_mem;
	int rc;

	m->now = now;
	if (map ? before && json_same(&tc_derp_map_type, map, before) : !before)
		return 0;
	arena_init(&mem, DERP_MEM_MAX);
	rc = map ? copy_map(map, &mem, &copy) : 0;
	if (rc < 0) {
		arena_fini(&mem);
		return rc;
	}
	rc = netcheck_set_map(m->nc, copy);
	if (rc < 0) {
		arena_fini(&mem);
		return rc;
	}
	m->derp = copy;
	m->derp_mem = mem;
	relays_set_map(m->relays, copy, now.mono);
	relays_set_home(m->relays, netcheck_home(m->nc), now.mono);
	arena_fini(&old);
	self_netcheck(m, true);
	magicsock_settle(m);
	return 0;
}

int magicsock_home(const struct magicsock *m)
{
	return netcheck_home(m->nc);
}

/* ---- Reports ---- */

static int add_latency(
	struct arena *a, struct json_map *map, int region, const char *family, mono_ns latency)
{
	double *v = arena_new(a, double);
	char *key = arena_printf(a, "%d-%s", region, family);

	if (!v || !key)
		return -ENOMEM;
	*v = (double)latency / (double)SEC(1);
	map->v[map->n++] = (struct json_pair){ .key = key, .value = v };
	return 0;
}

int magicsock_netinfo(const struct magicsock *m, struct arena *a, struct tc_netinfo *ret)
{
	size_t n = netcheck_n_regions(m->nc);
	struct tc_netinfo ni = netinfo_now(m);
	int rc = 0;

	ni.derp_latency.v = arena_array(a, 2 * n + 1, sizeof(struct json_pair));
	if (!ni.derp_latency.v)
		return -ENOMEM;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct netcheck_latency l = netcheck_latency(m->nc, i);

		if (l.v4)
			rc = add_latency(a, &ni.derp_latency, l.region, "v4", l.v4);
		if (l.v6 && rc == 0)
			rc = add_latency(a, &ni.derp_latency, l.region, "v6", l.v6);
	}
	if (rc < 0)
		return rc;
	ni.derp_latency.present = ni.derp_latency.n > 0;
	*ret = ni;
	return 0;
}

static int by_region(const void *a, const void *b)
{
	const struct magicsock_region_latency *x = a, *y = b;

	return (x->region > y->region) - (x->region < y->region);
}

int magicsock_netcheck_report(
	const struct magicsock *m, struct arena *a, struct magicsock_netcheck *ret)
{
	const struct netcheck_report *last = netcheck_last(m->nc),
				     *r = last ? last : netcheck_now(m->nc);
	size_t n = netcheck_n_regions(m->nc);
	struct magicsock_region_latency *v = arena_array(a, n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct netcheck_latency l = netcheck_latency(m->nc, i);

		v[i] = (struct magicsock_region_latency){ l.region, l.all, l.v4, l.v6, l.why };
	}
	qsort(v, n, sizeof(*v), by_region);
	*ret = (struct magicsock_netcheck){ .done = last != NULL,
		.udp = r->udp,
		.ipv4 = r->ipv4,
		.ipv6 = r->ipv6,
		.os_has_ipv6 = m->port6 != 0,
		.mapping_varies = r->mapping_varies,
		.global4 = r->global4,
		.global6 = r->global6,
		.home = netcheck_home(m->nc),
		.regions = v,
		.n_regions = n,
		.at = m->netcheck_wall };
	return 0;
}
