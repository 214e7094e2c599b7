/* What the owner knows of this node and its network: addresses, link, home, the DERP map. */
#include "core/magicsock/internal.h"
#include "base/err/err.h"

#include <string.h>

enum { DERP_MAP_MAX = 4 << 20, DERP_MEM_MAX = 16 << 20 };

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
	settle_all(m);
}

void magicsock_set_no_udp(struct magicsock *m, bool no_udp, struct now now)
{
	m->now = now;
	m->no_udp = no_udp;
	link_changed(m, endpoints_set_no_udp(m->endpoints, no_udp, now));
	settle_all(m);
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
	settle_all(m);
}

void magicsock_resolved(
	struct magicsock *m, const char *host, const struct ipaddr *addrs, size_t n, struct now now)
{
	m->now = now;
	endpoints_resolved(m->endpoints, host, addrs, n, now);
	settle_all(m);
}

void magicsock_measured(struct magicsock *m, int region, mono_ns latency, struct now now)
{
	m->now = now;
	endpoints_measured(m->endpoints, region, latency, now);
	settle_all(m);
}

void magicsock_netcheck_start(struct magicsock *m, struct now now)
{
	m->now = now;
	endpoints_check(m->endpoints, true, now);
	settle_all(m);
}

const struct endpoints *magicsock_endpoints(const struct magicsock *m)
{
	return m->endpoints;
}

int magicsock_home(const struct magicsock *m)
{
	return endpoints_home(m->endpoints);
}

void magicsock_set_self(struct magicsock *m, struct ipaddr addr4, struct ipaddr addr6,
	uint16_t peerapi4, uint16_t peerapi6)
{
	m->self4 = addr4;
	m->self6 = addr6;
	m->peerapi4 = peerapi4;
	m->peerapi6 = peerapi6;
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
	settle_all(m);
	return 0;
}
