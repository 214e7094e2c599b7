/*
 * When handshakes begin besides those that packets begin: again, when the first was lost or the peer has just come; with somebody who
 * speaks to us in a session that we do not have; with a new peer who asked for us before the hub had told of it.
 */
#include "core/magicsock/internal.h"

/*
 * After an initiation that may have had no path, or a peer that was not there yet. Steps of the engine's own 5 s; the other
 * side takes one each 20 ms.
 */
static const mono_ns retry_after[] = { MSEC(300), MSEC(600), MSEC(1200), MSEC(2400) };
static const mono_ns retry_gap =
	MSEC(200); /* when the peer shows up; twice as long each time, for long lines */
enum { URGED_MAX = 5 };

static const mono_ns unknown_peer_lately = SEC(10);

/* ---- Again ---- */

void handshake_begun(struct magicsock_peer *p)
{
	p->initiated_at = p->m->now.mono;
	if (peer_has_session(p) || p->retries >= ARRAY_LEN(retry_after))
		return;
	p->retry_at = mono_add(p->m->now.mono, retry_after[p->retries++]);
}

void handshake_over(struct magicsock_peer *p)
{
	p->initiated_at = 0;
	p->retry_at = MONO_NEVER;
	p->retries = p->urged = 0;
}

void handshake_retry(struct magicsock_peer *p)
{
	struct magicsock *m = p->m;

	/* Each initiation makes the answer to the one before worthless: faster than the round trip would be never. */
	if (!p->wg || !p->initiated_at || m->now.mono - p->initiated_at < retry_gap << p->urged ||
		peer_has_session(p))
		return;
	p->urged += p->urged < URGED_MAX;
	wg_retry_handshake(m->wg, p->wg, m->now);
	peer_wake_set(p);
}

void handshake_tick(struct magicsock_peer *p)
{
	if (p->m->now.mono < p->retry_at)
		return;
	p->retry_at = MONO_NEVER;
	if (p->wg)
		wg_retry_handshake(p->m->wg, p->wg, p->m->now);
}

/* ---- Unknown sessions ---- */

/*
 * Somebody holds a session with us that we do not know: we were restarted. Rather than wait 15 s for it to notice, begin a
 * handshake with whoever it may be: the key that the relay vouches for, or a peer with this address.
 */
void handshake_unknown_session(struct magicsock *m, const struct wg_source *from)
{
	struct node_pub key;
	struct magicsock_route r = source_route(from, &key);

	if (r.kind == MAGICSOCK_RELAY) {
		struct magicsock_peer *p = peer_by_key(m, &key);

		if (p)
			peer_defer(p, DEFER_HANDSHAKE);
		return;
	}
	if (r.kind != MAGICSOCK_DIRECT || !bucket_take(&m->searches, 1, m->now.mono))
		return;
	for (struct magicsock_peer *p = peer_next(m, NULL); p; p = peer_next(m, p))
		if (p->wg && !peer_has_session(p) && path_has_candidate(&p->path, r.addr))
			peer_defer(p, DEFER_HANDSHAKE);
}

/* ---- Unknown peers ---- */

/*
 * Two devices learn of each other from the hub, but not at the same moment. The first packet of the one that knows may come
 * before the other one has its name; when it has, it begins at once, and nobody waits for the first one's next try.
 */
void handshake_unknown_peer(struct magicsock *m, const struct node_pub *key, int region)
{
	struct unknown_peer *s = NULL;

	for (size_t i = 0; i < UNKNOWN_PEERS_MAX && !s; i++)
		if (m->unknown_peers[i].at &&
			memcmp(m->unknown_peers[i].key.b, key->b, KEY_LEN) == 0)
			s = &m->unknown_peers[i];
	if (!s) {
		s = &m->unknown_peers[m->next_unknown_peer++ % UNKNOWN_PEERS_MAX];
		m->n.unknown_peers_dropped += s->at && m->now.mono - s->at <= unknown_peer_lately;
	}
	*s = (struct unknown_peer){ .key = *key, .region = region, .at = m->now.mono };
}

void handshake_with_new_peer(struct magicsock_peer *p)
{
	struct magicsock *m = p->m;

	for (size_t i = 0; i < UNKNOWN_PEERS_MAX; i++) {
		struct unknown_peer *s = &m->unknown_peers[i];

		if (!s->at || memcmp(s->key.b, p->key.b, KEY_LEN) != 0)
			continue;
		if (m->now.mono - s->at <= unknown_peer_lately) {
			p->last_region = s->region;
			peer_defer(p, DEFER_HANDSHAKE);
		}
		s->at = 0;
	}
}
