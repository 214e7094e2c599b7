/* Between the endpoints and the rest: what our own addresses, our link and the DERP map mean for peers and relays. */
#include "core/magicsock/internal.h"
#include "base/err/err.h"

#include <string.h>

enum { DERP_MAP_MAX = 4 << 20, DERP_MEM_MAX = 16 << 20 };

bool can_send_to(const struct magicsock *m, struct ipaddr a)
{
	return endpoints_can_send(m->endpoints, a);
}

/* ---- What endpoints ask for ---- */

static void paths_self_changed(struct magicsock *m)
{
	for (struct magicsock_peer *p = m->on ? peer_next(m, NULL) : NULL; p; p = peer_next(m, p)) {
		path_on_self_changed(&p->path, m->now.mono);
		peer_wake_set(p);
	}
}

static void self_changed(struct magicsock *m, unsigned what)
{
	if (what & ENDPOINTS_HOME)
		relays_set_home(m->relays, endpoints_home(m->endpoints), m->now.mono);
	m->ops->self_changed(m->owner, what);
	if (what & ENDPOINTS_LIST)
		paths_self_changed(m);
}

bool self_settle(struct magicsock *m)
{
	struct endpoints_event e;
	struct wg_packet req;
	bool any = false;

	for (; endpoints_next_event(m->endpoints, &e); any = true)
		switch (e.type) {
		case ENDPOINTS_SEND:
			req = (struct wg_packet){ .p = e.request, .len = sizeof(e.request) };
			m->ops->udp_send(m->owner, e.to, &req, 1);
			break;
		case ENDPOINTS_RESOLVE:
			m->ops->resolve(m->owner, e.host);
			break;
		case ENDPOINTS_MEASURE:
			m->ops->measure(m->owner, e.region, e.node);
			break;
		case ENDPOINTS_CHANGED:
			self_changed(m, e.what);
			break;
		}
	m->n.stun_limited = endpoints_counters(m->endpoints)->stun_limited;
	m->n.endpoints_dropped = endpoints_counters(m->endpoints)->dropped;
	return any;
}

/* ---- What the owner knows ---- */

static void link_changed(struct magicsock *m, unsigned what)
{
	if (!(what & ENDPOINTS_LINK_CHANGED))
		return;
	for (struct magicsock_peer *p = peer_next(m, NULL); p; p = peer_next(m, p)) {
		path_on_link_changed(&p->path, m->now.mono);
		peer_wake_set(p);
	}
	relays_link_changed(m->relays, what & ENDPOINTS_LINK_CUT, m->now.mono);
}

void magicsock_set_local(struct magicsock *m, const struct ipprefix *addrs, size_t n,
	uint16_t port4, uint16_t port6, bool changed, struct now now)
{
	m->now = now;
	link_changed(m, endpoints_set_local(m->endpoints, addrs, n, port4, port6, changed, now));
	magicsock_settle(m);
}

void magicsock_set_no_udp(struct magicsock *m, bool no_udp, struct now now)
{
	m->now = now;
	m->no_udp = no_udp;
	link_changed(m, endpoints_set_no_udp(m->endpoints, no_udp, now));
	magicsock_settle(m);
}

void magicsock_set_hub_up(struct magicsock *m, bool up)
{
	endpoints_set_hub_up(m->endpoints, up);
}

void magicsock_hint_home(struct magicsock *m, int region, struct now now)
{
	m->now = now;
	endpoints_hint_home(m->endpoints, region);
	relays_set_home(m->relays, endpoints_home(m->endpoints), now.mono);
	magicsock_settle(m);
}

void magicsock_resolved(
	struct magicsock *m, const char *host, const struct ipaddr *addrs, size_t n, struct now now)
{
	m->now = now;
	endpoints_resolved(m->endpoints, host, addrs, n, now);
	magicsock_settle(m);
}

void magicsock_measured(struct magicsock *m, int region, mono_ns latency, struct now now)
{
	m->now = now;
	endpoints_measured(m->endpoints, region, latency, now);
	magicsock_settle(m);
}

void magicsock_netcheck_start(struct magicsock *m, struct now now)
{
	m->now = now;
	endpoints_check(m->endpoints, true, now);
	magicsock_settle(m);
}

const struct endpoints *magicsock_endpoints(const struct magicsock *m)
{
	return m->endpoints;
}

int magicsock_home(const struct magicsock *m)
{
	return endpoints_home(m->endpoints);
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
	struct tc_derp_map *copy = NULL;
	struct arena mem, old = m->derp_mem;
	int rc;

	m->now = now;
	if (map ? m->derp && json_same(&tc_derp_map_type, map, m->derp) : !m->derp)
		return 0;
	arena_init(&mem, DERP_MEM_MAX);
	rc = map ? copy_map(map, &mem, &copy) : 0;
	if (rc == 0)
		rc = endpoints_set_map(m->endpoints, copy, now);
	if (rc < 0) {
		arena_fini(&mem);
		return rc;
	}
	relays_set_map(m->relays, copy, now.mono);
	relays_set_home(m->relays, endpoints_home(m->endpoints), now.mono);
	m->derp = copy;
	m->derp_mem = mem;
	arena_fini(&old); /* relays looked at it until now */
	magicsock_settle(m);
	return 0;
}
