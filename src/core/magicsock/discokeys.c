/*
 * The two disco keys of a peer: the one that the hub told, and the one that it told itself inside the tunnel. What it sends is
 * understood with either; we send with the active one.
 *
 *	hub: the same key again             nothing
 *	hub: a key that is neither          becomes the hub's, active
 *	hub: the key that the peer told     becomes the hub's, active (it is the same key: nothing else changes)
 *	hub: none                           the peer's own is active, if there is one
 *	peer tells a key                    becomes the peer's, active
 *	peer's key is cleared               the hub's is active
 *	a message with the other key        that one is active
 *	a message with any other            is not understood (disco_in)
 */
#include "core/magicsock/internal.h"
#include "base/err/err.h"
#include "crypto/ct/ct.h"

#include <stdlib.h>

/*
 * A peer with a new disco key may have been restarted and have lost its sessions. One that is younger than this was most likely
 * made with the new process.
 */
static const unix_ms young_session = 10000;

/* ---- Keys ---- */

struct disco_key *discokeys_find(const struct magicsock *m, const struct disco_pub *pub)
{
	struct map_node *n = map_find(&m->disco, pub->b, KEY_LEN);

	return n ? container_of(n, struct disco_key, node) : NULL;
}

static struct disco_key *key_get(struct magicsock *m, const struct disco_pub *pub)
{
	struct disco_key *k = discokeys_find(m, pub);

	if (k)
		return k;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->pub = *pub;
	list_init(&k->peers);
	if (map_insert(&m->disco, &k->node, k->pub.b, KEY_LEN) < 0) {
		free(k);
		return NULL;
	}
	return k;
}

static void key_put(struct magicsock *m, struct disco_key *k)
{
	if (!list_empty(&k->peers))
		return;
	map_remove(&m->disco, &k->node);
	ct_wipe(k, sizeof(*k));
	free(k);
}

const struct box_shared *discokeys_shared(struct magicsock *m, struct disco_key *k)
{
	if (k->state == SHARED_UNKNOWN)
		k->state = box_precompute(&k->shared, m->cfg.disco.b, k->pub.b) < 0 ? SHARED_BAD
										    : SHARED_GOOD;
	return k->state == SHARED_GOOD ? &k->shared : NULL;
}

/* ---- The two places of a peer ---- */

void discokeys_init(struct magicsock_peer *p)
{
	for (size_t i = 0; i < DISCO_SLOTS; i++) {
		p->slot[i] = (struct disco_slot){ .peer = p };
		list_init(&p->slot[i].link);
	}
}

static void slot_clear(struct disco_slot *s)
{
	if (!s->key)
		return;
	list_remove(&s->link);
	key_put(s->peer->m, s->key);
	s->key = NULL;
}

void discokeys_fini(struct magicsock_peer *p)
{
	for (size_t i = 0; i < DISCO_SLOTS; i++)
		slot_clear(&p->slot[i]);
}

static bool slot_is(const struct disco_slot *s, const struct disco_pub *pub)
{
	return s->key ? memcmp(s->key->pub.b, pub->b, KEY_LEN) == 0 : key_is_zero(pub->b);
}

static int slot_set(struct disco_slot *s, const struct disco_pub *pub)
{
	struct disco_key *k;

	if (slot_is(s, pub))
		return 0;
	k = key_is_zero(pub->b) ? NULL : key_get(s->peer->m, pub);
	if (!k && !key_is_zero(pub->b))
		return -ENOMEM;
	slot_clear(s);
	s->key = k;
	if (k)
		list_push_tail(&k->peers, &s->link);
	return 0;
}

/* was: the active key before. Nothing that was learned with it holds, but packets go on to where they went. */
static void activate(struct magicsock_peer *p, bool had, const struct disco_pub *was, bool by_peer)
{
	struct disco_key *k;

	p->tsmp_active = p->slot[DISCO_BY_PEER].key && (by_peer || !p->slot[DISCO_BY_HUB].key);
	k = peer_disco(p);
	if (had && k && memcmp(k->pub.b, was->b, KEY_LEN) != 0)
		path_on_key_changed(&p->path);
	path_set_can_ping(&p->path, k != NULL, p->m->now.mono);
	if (path_has_next(&p->path))
		peer_wake_set(p);
}

static struct disco_pub active_pub(const struct magicsock_peer *p)
{
	return peer_disco(p) ? peer_disco(p)->pub : (struct disco_pub){ 0 };
}

static bool session_is_older(const struct magicsock_peer *p)
{
	struct wg_peer_stats s;

	wg_peer_stats(p->wg, &s);
	return s.has_session && p->m->now.wall - s.last_handshake > young_session;
}

int discokeys_by_hub(struct magicsock_peer *p, const struct disco_pub *pub)
{
	struct disco_slot *hub = &p->slot[DISCO_BY_HUB], *own = &p->slot[DISCO_BY_PEER];
	struct disco_pub was = active_pub(p);
	bool had = peer_disco(p) != NULL, first = !hub->key, known = slot_is(own, pub);
	int rc;

	if (slot_is(hub,
		    pub)) /* what the peer told by itself is newer than a map that has not changed */
		return 0;
	rc = slot_set(hub, pub);
	if (rc < 0)
		return rc;
	activate(p, had, &was, false);
	/* The first key, or no key, tells nothing of a restart; nor does one that the peer told through a session. */
	if (!first && !known && hub->key && p->wg && session_is_older(p))
		p->renew_session = true;
	return 0;
}

int discokeys_by_peer(struct magicsock_peer *p, const struct disco_pub *pub)
{
	struct disco_pub was = active_pub(p);
	bool had = peer_disco(p) != NULL;
	int rc = slot_set(&p->slot[DISCO_BY_PEER], pub);

	if (rc == 0)
		activate(p, had, &was, true);
	return rc;
}

void discokeys_used(struct magicsock_peer *p, const struct disco_key *k)
{
	struct disco_pub was = active_pub(p);

	if (peer_disco(p) != k)
		activate(p, true, &was, p->slot[DISCO_BY_PEER].key == k);
}
