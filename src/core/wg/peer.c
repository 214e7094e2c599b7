/* A peer: its life, its addresses, its settings. */
#include "base/err/err.h"
#include "core/wg/internal.h"
#include "crypto/ct/ct.h"

#include <errno.h>
#include <stdlib.h>

void wg_peer_forget_keys(struct wg_device *d, struct wg_peer *p)
{
	wg_timers_stop(p);
	wg_session_clear(d, p);
	wg_send_end_initiation(d, p, false);
	p->last_initiation_sent = p->attempt_started = 0; /* the next one need not wait */
}

int wg_peer_add(struct wg_device *d, const struct node_pub *key, struct wg_peer **ret)
{
	struct wg_peer *p;
	int rc;

	if (ct_equal(key->b, d->public.b, KEY_LEN))
		return -ERR_BAD_KEY;
	if (d->cfg.max_peers && d->peers.n_items >= d->cfg.max_peers)
		return -ERR_TOO_MANY;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->dev = d;
	p->key = *key;
	list_init(&p->staged);
	wg_allowedips_owner_init(&p->allowed);
	for (int i = 0; i < N_TIMERS; i++)
		p->timer[i] = MONO_NEVER;
	wg_cookie_sender_init(&p->cookies, key->b);
	wg_handshake_peer_init(&p->hs_peer, key->b);
	rc = map_insert(&d->peers, &p->node, p->key.b, KEY_LEN);
	if (rc != 0) {
		free(p);
		return rc == 1 ? -EEXIST : rc;
	}
	*ret = p;
	return 0;
}

void wg_peer_remove(struct wg_device *d, struct wg_peer *p)
{
	wg_allowedips_remove_all(&d->allowed, &p->allowed);
	wg_peer_forget_keys(d, p);
	wg_send_drop_staged(p);
	map_remove(&d->peers, &p->node);
	wg_queue_forget_peer(d, p);
	ct_wipe(p, sizeof(*p));
	free(p);
}

struct wg_peer *wg_peer_find(struct wg_device *d, const struct node_pub *key)
{
	struct map_node *n = map_find(&d->peers, key->b, KEY_LEN);

	return n ? container_of(n, struct wg_peer, node) : NULL;
}

struct wg_peer *wg_peer_next(struct wg_device *d, const struct wg_peer *p)
{
	struct map_node *n = p ? map_next(&d->peers, &p->node) : map_first(&d->peers);

	return n ? container_of(n, struct wg_peer, node) : NULL;
}

int wg_peer_allow(struct wg_device *d, struct wg_peer *p, struct ipprefix prefix)
{
	return wg_allowedips_set(&d->allowed, prefix, &p->allowed);
}

void wg_peer_disallow(struct wg_device *d, struct wg_peer *p, struct ipprefix prefix)
{
	wg_allowedips_remove(&d->allowed, prefix, &p->allowed);
}

void wg_peer_disallow_all(struct wg_device *d, struct wg_peer *p)
{
	wg_allowedips_remove_all(&d->allowed, &p->allowed);
}

struct each_call {
	void (*fn)(void *ctx, struct ipprefix p, void *peer);
	void *ctx;
};

static void each_peer(void *ctx, struct ipprefix p, struct allowedips_owner *o)
{
	struct each_call *c = ctx;

	c->fn(c->ctx, p, container_of(o, struct wg_peer, allowed));
}

void wg_allowed_each(
	const struct wg_device *d, void (*fn)(void *ctx, struct ipprefix p, void *peer), void *ctx)
{
	struct each_call c = { fn, ctx };

	wg_allowedips_each(&d->allowed, each_peer, &c);
}

void wg_peer_set_psk(struct wg_peer *p, const uint8_t psk[static 32])
{
	memcpy(p->hs_peer.psk, psk, HANDSHAKE_PSK_LEN);
}

const uint8_t *wg_peer_psk(const struct wg_peer *p)
{
	return p->hs_peer.psk;
}

void wg_peer_set_keepalive(struct wg_device *d, struct wg_peer *p, unsigned seconds, mono_ns now)
{
	p->keepalive_s = seconds;
	wg_timers_keepalive_set(p, now);
}

unsigned wg_peer_keepalive(const struct wg_peer *p)
{
	return p->keepalive_s;
}

void wg_peer_set_owner(struct wg_peer *p, void *owner)
{
	p->owner = owner;
}

void *wg_peer_owner(const struct wg_peer *p)
{
	return p->owner;
}

const struct node_pub *wg_peer_key(const struct wg_peer *p)
{
	return &p->key;
}

const struct wg_source *wg_peer_source(const struct wg_peer *p)
{
	return &p->source;
}

size_t wg_peer_take_received(struct wg_peer *p)
{
	size_t n = p->source_bytes;

	p->source_bytes = 0;
	return n;
}

void wg_peer_set_source(struct wg_peer *p, const struct wg_source *s)
{
	p->source = *s;
}

void wg_peer_stats(const struct wg_peer *p, struct wg_peer_stats *ret)
{
	*ret = p->stats;
	ret->has_session = p->session[SESSION_CURRENT] != NULL;
}

struct wg_peer *wg_route(const struct wg_device *d, const uint8_t *pkt, size_t len)
{
	struct allowedips_owner *o = wg_allowedips_find_dst(&d->allowed, pkt, len);

	return o ? container_of(o, struct wg_peer, allowed) : NULL;
}
