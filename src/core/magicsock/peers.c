/* The table of peers: what the hub says of them, put into the WireGuard engine, the paths and the disco keys. */
#include "core/magicsock/internal.h"
#include "base/err/err.h"
#include "crypto/ct/ct.h"
#include "proto/tsaddr/tsaddr.h"

#include <stdlib.h>
#include <string.h>

/* ---- Parts of a peer ---- */

static void leave_engine(struct magicsock_peer *p)
{
	if (p->wg)
		wg_peer_remove(p->m->wg, p->wg);
	p->wg = NULL;
	handshake_over(p);
	p->renew_session = false;
}

static int allow_routes(struct magicsock_peer *p)
{
	int rc = 0;

	for (size_t i = 0; p->wg && i < p->n_routes && rc == 0; i++)
		rc = wg_peer_allow(p->m->wg, p->wg, p->routes[i]);
	return rc;
}

static int enter_engine(struct magicsock_peer *p)
{
	int rc = wg_peer_add(p->m->wg, &p->key, &p->wg);

	if (rc < 0) {
		p->wg = NULL;
		return rc;
	}
	wg_peer_set_owner(p->wg, p);
	rc = allow_routes(p);
	if (rc < 0)
		leave_engine(p);
	return rc;
}

static bool same_routes(const struct magicsock_peer *p, const struct ipprefix *r, size_t n)
{
	if (n != p->n_routes)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!ipprefix_eq(r[i], p->routes[i]))
			return false;
	return true;
}

static int set_routes(struct magicsock_peer *p, const struct ipprefix *r, size_t n)
{
	struct ipprefix *copy;
	int rc;

	if (n > MAGICSOCK_ROUTES_MAX)
		return -ERR_TOO_MANY;
	if (same_routes(p, r, n))
		return 0;
	copy = calloc(n + 1, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	if (n)
		memcpy(copy, r, n * sizeof(*copy));
	if (p->wg)
		wg_peer_disallow_all(p->m->wg, p->wg);
	free(p->routes);
	p->routes = copy;
	p->n_routes = n;
	rc = allow_routes(p);
	if (rc < 0) { /* none, so that the same ones are news when they are told again */
		p->n_routes = 0;
		wg_peer_disallow_all(p->m->wg, p->wg);
	}
	return rc;
}

static int update_expired(struct magicsock_peer *p, bool expired)
{
	int rc = p->expired && !expired ? enter_engine(p) : 0;

	if (rc < 0)
		return rc;
	if (expired && !p->expired)
		leave_engine(p);
	p->expired = expired;
	return 0;
}

static void update_addresses(struct magicsock_peer *p, const struct tc_node *n)
{
	p->addr4 = p->addr6 = (struct ipaddr){ 0 };
	for (size_t i = n->addresses.n; i-- > 0;) { /* the first of each family */
		struct ipaddr a = JSON_AT(n->addresses, struct ipprefix, i)->ip;

		if (a.family == 4)
			p->addr4 = a;
		else
			p->addr6 = a;
	}
}

static int home_of(const struct tc_node *n)
{
	return n->home_derp > 0 && n->home_derp <= UINT16_MAX ? (int)n->home_derp : 0;
}

/* ---- Adding, changing, removing ---- */

static void peer_free(struct magicsock_peer *p)
{
	struct magicsock *m = p->m;

	m->n_inner = m->next_inner = 0; /* packets that nobody took, maybe its own */
	leave_engine(p);
	masquerade_forget(p);
	discokeys_fini(p);
	list_remove(&p->defer_link);
	heap_remove(&m->wakes, &p->wake);
	path_fini(&p->path);
	free(p->routes);
	free(p);
}

static int peer_add(struct magicsock *m, const struct tc_node *n, struct magicsock_peer **ret)
{
	struct magicsock_peer *p;
	int rc;

	if (m->peers.n_items >= m->cfg.max_peers)
		return -ERR_TOO_MANY;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->m = m;
	p->id = n->id;
	p->key = n->key;
	p->retry_at = MONO_NEVER;
	list_init(&p->defer_link);
	discokeys_init(p);
	path_init(&p->path, m->rng, &m->probes);
	rc = n->expired ? 0 : enter_engine(p);
	p->expired = n->expired;
	rc = rc < 0 ? rc : map_insert(&m->peers, &p->by_id, &p->id, sizeof(p->id));
	if (rc < 0) {
		peer_free(p);
		return rc;
	}
	*ret = p;
	return 0;
}

static void peer_remove(struct magicsock_peer *p)
{
	struct magicsock *m = p->m;
	int64_t id = p->id;

	map_remove(&m->peers, &p->by_id);
	peer_free(p);
	pings_peer_gone(m, id);
}

static int update(struct magicsock_peer *p, const struct tc_node *n, const struct ipprefix *routes,
	size_t n_routes)
{
	struct magicsock *m = p->m;
	bool no_disco =
		n->wireguard_only || n->expired; /* whose key has expired is not answered either */
	int rc = update_expired(p, n->expired);

	p->wireguard_only = n->wireguard_only;
	p->home = home_of(n);
	update_addresses(p, n);
	masquerade_set(p, n);
	rc = rc < 0 ? rc : set_routes(p, routes, n_routes);
	if (rc == 0 && no_disco)
		rc = discokeys_by_peer(p, &(struct disco_pub){ 0 });
	rc = rc < 0 ? rc : discokeys_by_hub(p, no_disco ? &(struct disco_pub){ 0 } : &n->disco_key);
	if (rc < 0)
		return rc;
	path_set_endpoints(&p->path, n->endpoints.v, n->expired ? 0 : n->endpoints.n, m->now.mono);
	peer_wake_set(p);
	return 0;
}

int magicsock_set_peer(struct magicsock *m, const struct tc_node *n, const struct ipprefix *routes,
	size_t n_routes, struct now now)
{
	struct magicsock_peer *p = peer_find(m, n->id), *other;
	bool is_new;
	int rc;

	m->now = now;
	if (m->on && ct_equal(n->key.b, m->self.b, KEY_LEN))
		return -ERR_BAD_KEY;
	if (p && memcmp(p->key.b, n->key.b, KEY_LEN) !=
			 0) { /* a new identity: nothing of the old one holds */
		peer_remove(p);
		p = NULL;
	}
	other = peer_by_key(m, &n->key);
	if (other &&
		other->id !=
			n->id) /* registered anew under another number; that one's removal is still to come */
		peer_remove(other);
	is_new = !p;
	rc = p ? 0 : peer_add(m, n, &p);
	rc = rc < 0 ? rc : update(p, n, routes, n_routes);
	if (rc == 0 && is_new)
		handshake_with_new_peer(p);
	endpoints_set_has_peers(m->endpoints, m->peers.n_items > 0, now);
	settle_all(m);
	return rc;
}

void magicsock_remove_peer(struct magicsock *m, int64_t id, struct now now)
{
	struct magicsock_peer *p = peer_find(m, id);

	m->now = now;
	if (p)
		peer_remove(p);
	endpoints_set_has_peers(m->endpoints, m->peers.n_items > 0, now);
	settle_all(m);
}

void peers_drop_own_key(struct magicsock *m, const struct node_pub *self)
{
	map_for_each(n, &m->peers) {
		struct magicsock_peer *p = container_of(n, struct magicsock_peer, by_id);

		if (ct_equal(p->key.b, self->b, KEY_LEN))
			peer_remove(p);
		else
			p->initiated_at = 0; /* handshakes begin anew */
	}
}

void peers_free(struct magicsock *m)
{
	map_for_each(n, &m->peers) {
		struct magicsock_peer *p = container_of(n, struct magicsock_peer, by_id);

		map_remove(&m->peers, &p->by_id);
		peer_free(p);
	}
}

int magicsock_peer_status(
	const struct magicsock *m, int64_t id, struct now now, struct magicsock_peer_status *ret)
{
	const struct magicsock_peer *p = peer_find(m, id);
	struct wg_peer_stats s = { 0 };
	bool trusted;

	if (!p)
		return -ERR_NO_PEER;
	if (p->wg)
		wg_peer_stats(p->wg, &s);
	trusted = path_is_trusted(&p->path, now.mono);
	*ret = (struct magicsock_peer_status){ .key = p->key,
		.home_region = p->home,
		.route = trusted ? route_direct(p->path.best) : output_relay_of(p),
		.latency = trusted ? p->path.best_latency : 0,
		.rx_bytes = s.rx_bytes,
		.tx_bytes = s.tx_bytes,
		.last_handshake = s.last_handshake,
		.last_write = p->last_write,
		.active = path_is_active(&p->path, now.mono),
		.has_session = s.has_session,
		.expired = p->expired,
		.n_candidates = p->path.n_cand };
	if (peer_disco(p))
		ret->disco = peer_disco(p)->pub;
	return 0;
}
