#include "core/wg/device.h"
#include "base/err/err.h"
#include "crypto/ct/ct.h"

#include <errno.h>

enum { LOAD_LIMIT_DEFAULT = 200 };

static int set_identity(struct wg_device *d, const struct secret_node *private)
{
	int rc = key_public(private->b, d->public.b);

	if (rc < 0)
		return rc;
	memcpy(d->self.private, private->b, KEY_LEN);
	memcpy(d->self.public, d->public.b, KEY_LEN);
	cookie_checker_init(&d->checker, d->public.b);
	return 0;
}

int wg_new(struct wg_device **ret, const struct wg_cfg *cfg)
{
	struct wg_device *d = calloc(1, sizeof(*d));
	uint8_t seed[16];
	int rc;

	if (!d)
		return -ENOMEM;
	d->cfg = *cfg;
	d->load_limit = LOAD_LIMIT_DEFAULT;
	rng_fill(cfg->rng, seed, sizeof(seed));
	d->ratelimit.burst = RATELIMIT_BURST;
	d->ratelimit.per_second = RATELIMIT_PER_SECOND;
	memcpy(d->ratelimit.seed, seed, sizeof(seed));
	map_init(&d->peers, seed);
	map_init(&d->indices, seed);
	rc = set_identity(d, &cfg->private);
	ct_wipe(&d->cfg.private, sizeof(d->cfg.private));
	if (rc < 0) {
		wg_free(d);
		return rc;
	}
	*ret = d;
	return 0;
}

struct wg_device *wg_free(struct wg_device *d)
{
	if (!d)
		return NULL;
	map_for_each(n, &d->peers)
		wg_peer_remove(d, container_of(n, struct wg_peer, node));
	map_fini(&d->peers);
	map_fini(&d->indices);
	heap_fini(&d->wakes);
	allowedips_fini(&d->allowed);
	ct_wipe(d, sizeof(*d));
	free(d);
	return NULL;
}

static void peer_forget_keys(struct wg_device *d, struct wg_peer *p)
{
	timers_stop(p);
	sessions_clear(d, p);
	initiation_end(d, p, false);
	p->last_initiation_sent = p->attempt_started = 0; /* the next one need not wait */
}

int wg_set_private(struct wg_device *d, const struct secret_node *private, mono_ns now)
{
	int rc = set_identity(d, private);

	if (rc < 0)
		return rc;
	map_for_each(n, &d->peers) {
		struct wg_peer *p = container_of(n, struct wg_peer, node);

		peer_forget_keys(d, p);
		handshake_peer_forget(&p->hs_peer);
		if (ct_equal(p->key.b, d->public.b, KEY_LEN))
			wg_peer_remove(d, p);
		else if (p->keepalive_s)
			timers_keepalive_set(p, now);
	}
	return 0;
}

const struct node_pub *wg_public(const struct wg_device *d)
{
	return &d->public;
}

const struct wg_counters *wg_counters(const struct wg_device *d)
{
	return &d->counters;
}

void wg_set_load_limit(struct wg_device *d, unsigned per_second)
{
	d->load_limit = per_second;
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
	allowedips_owner_init(&p->allowed);
	for (int i = 0; i < N_TIMERS; i++)
		p->timer[i] = MONO_NEVER;
	cookie_sender_init(&p->cookies, key->b);
	handshake_peer_init(&p->hs_peer, key->b);
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
	allowedips_remove_all(&d->allowed, &p->allowed);
	peer_forget_keys(d, p);
	staged_clear(p);
	map_remove(&d->peers, &p->node);
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
	return allowedips_set(&d->allowed, prefix, &p->allowed);
}

void wg_peer_disallow(struct wg_device *d, struct wg_peer *p, struct ipprefix prefix)
{
	allowedips_remove(&d->allowed, prefix, &p->allowed);
}

void wg_peer_disallow_all(struct wg_device *d, struct wg_peer *p)
{
	allowedips_remove_all(&d->allowed, &p->allowed);
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

	allowedips_each(&d->allowed, each_peer, &c);
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
	timers_keepalive_set(p, now);
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
	ret->has_session = p->kp[KP_CURRENT] != NULL;
}

struct wg_peer *wg_route(const struct wg_device *d, const uint8_t *pkt, size_t len)
{
	struct allowedips_owner *o = allowedips_find_dst(&d->allowed, pkt, len);

	return o ? container_of(o, struct wg_peer, allowed) : NULL;
}

struct index_entry *index_new(struct wg_device *d, struct wg_peer *p)
{
	struct index_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->peer = p;
	/* A 32-bit number is hardly ever taken; a bound all the same, for a broken source of randomness. */
	for (int tries = 0; tries < 16; tries++) {
		uint8_t b[4];
		int rc;

		rng_fill(d->cfg.rng, b, sizeof(b)); /* bytes as they go on the wire */
		e->index = load_le32(b);
		rc = map_insert(&d->indices, &e->node, &e->index, sizeof(e->index));
		if (rc == 0)
			return e;
		if (rc < 0)
			break;
	}
	free(e);
	return NULL;
}

struct index_entry *index_find(struct wg_device *d, uint32_t index)
{
	struct map_node *n = map_find(&d->indices, &index, sizeof(index));

	return n ? container_of(n, struct index_entry, node) : NULL;
}

void index_free(struct wg_device *d, struct index_entry *e)
{
	if (!e)
		return;
	map_remove(&d->indices, &e->node);
	free(e);
}
