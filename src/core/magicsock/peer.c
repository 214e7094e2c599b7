/* One peer: how it is found, when it is due, and what is to be done with it when the engine has returned. */
#include "core/magicsock/internal.h"

struct magicsock_peer *peer_find(const struct magicsock *m, int64_t id)
{
	struct map_node *n = map_find(&m->peers, &id, sizeof(id));

	return n ? container_of(n, struct magicsock_peer, by_id) : NULL;
}

struct magicsock_peer *peer_next(const struct magicsock *m, const struct magicsock_peer *p)
{
	struct map_node *n = p ? map_next(&m->peers, &p->by_id) : map_first(&m->peers);

	return n ? container_of(n, struct magicsock_peer, by_id) : NULL;
}

struct magicsock_peer *peer_by_key(const struct magicsock *m, const struct node_pub *key)
{
	struct wg_peer *wp = wg_peer_find(m->wg, key);

	return wp ? wg_peer_owner(wp) : NULL;
}

bool peer_has_session(const struct magicsock_peer *p)
{
	struct wg_peer_stats s;

	wg_peer_stats(p->wg, &s);
	return s.has_session;
}

void peer_wake_set(struct magicsock_peer *p)
{
	mono_ns at = mono_min(path_deadline(&p->path), p->retry_at);

	if (path_has_next(&p->path))
		peer_defer(p, DEFER_PATH);
	if (at == (p->wake.pos ? p->wake.at : MONO_NEVER))
		return;
	if (heap_set(&p->m->wakes, &p->wake, at) < 0)
		p->retry_at = MONO_NEVER; /* without memory the next event arms it */
}

void peer_defer(struct magicsock_peer *p, unsigned what)
{
	if (!p->deferred)
		list_push_tail(&p->m->deferred, &p->defer_link);
	p->deferred |= what;
}

void peer_heard(struct magicsock_peer *p)
{
	struct node_pub key;
	struct ipport a = source_route(wg_peer_source(p->wg), &key).addr;
	size_t bytes = wg_peer_take_received(p->wg);

	if (!ipaddr_is_set(a.ip))
		return;
	path_on_rx(&p->path, a, bytes, p->m->now.mono);
	if (path_has_next(&p->path))
		peer_wake_set(p);
}
