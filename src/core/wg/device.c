#include "core/wg/internal.h"
#include "base/err/err.h"
#include "crypto/ct/ct.h"

#include <errno.h>

enum { LOAD_LIMIT_DEFAULT = 200 };

static int set_identity(struct wg_device *d, const struct secret_node *private)
{
	struct node_pub public;
	int rc = key_public(private->b, public.b);

	if (rc < 0)
		return rc;
	if (wg_peer_find(d, &public))
		return -EEXIST;
	d->public = public;
	memcpy(d->self.private, private->b, KEY_LEN);
	memcpy(d->self.public, d->public.b, KEY_LEN);
	wg_cookie_checker_init(&d->checker, d->public.b);
	return 0;
}

int wg_new(struct wg_device **ret, const struct wg_cfg *cfg)
{
	struct wg_device *d = NEW_WITH_BUFFERS(struct wg_device, queue.v);
	uint8_t seed[16];
	int rc;

	if (!d)
		return -ENOMEM;
	d->cfg = *cfg;
	d->load_limit = LOAD_LIMIT_DEFAULT;
	rng_fill(cfg->rng, seed, sizeof(seed));
	d->ratelimit.burst = WG_RATELIMIT_BURST;
	d->ratelimit.per_second = WG_RATELIMIT_PER_SECOND;
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
	wg_allowedips_fini(&d->allowed);
	free(d->queue.staged);
	ct_wipe(d, sizeof(*d));
	free(d);
	return NULL;
}

int wg_set_private(struct wg_device *d, const struct secret_node *private, mono_ns now)
{
	int rc = set_identity(d, private);

	if (rc < 0)
		return rc;
	map_for_each(n, &d->peers) {
		struct wg_peer *p = container_of(n, struct wg_peer, node);

		wg_peer_forget_keys(d, p);
		wg_handshake_peer_forget(&p->hs_peer);
		if (p->keepalive_s)
			wg_timers_keepalive_set(p, now);
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
