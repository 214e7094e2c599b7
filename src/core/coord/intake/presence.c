/*
 * Whether a device is here: it holds a stream, or did a moment ago. A stream that ends counts for a short grace, so that restarts and
 * roaming tell nobody; a key that expires counts at that very moment.
 */
#include "core/coord/intake/internal.h"

#include <errno.h>

static void set_here(struct tailnet *c, struct coord_node *n, bool here, struct now now)
{
	if (n->here == here)
		return;
	n->here = here;
	n->expected = false;
	policy_sync_follow(c, n, now);
}

void presence_start_offline_grace(struct tailnet *c, struct coord_node *n, struct now now)
{
	n->left = now.wall;
	if (n->doc.ephemeral && presence_ephemeral_wait(c, n, now) < 0)
		heap_remove(&c->intake->ephemerals, &n->ephemeral);
	/* Without memory for a timer it counts as gone. */
	if (heap_set(&c->intake->offline, &n->offline,
		    now.mono + (n->watched ? COORD_WATCH_GRACE : COORD_OFFLINE_GRACE)) < 0)
		set_here(c, n, false, now);
}

/* Online from here on, so that others hear of it once and not twice. */
void presence_arrives(struct tailnet *c, struct coord_node *n, struct now now)
{
	if (!list_empty(&n->sessions))
		return;
	if (say_arrives(c, n, now))
		set_here(c, n, true, now);
	presence_start_offline_grace(c, n, now);
}

void presence_begin(struct tailnet *c, struct coord_node *n, struct now now)
{
	presence_forget(n);
	if (say_arrives(c, n,
		    now)) /* one that comes and goes all the time counts as here only now and then */
		set_here(c, n, true, now);
}

static void went_away(struct tailnet *c, struct coord_node *n, struct now now)
{
	if (n->expected) {
		n->expected = false;
		policy_sync_follow(c, n, now);
		return;
	}
	set_here(c, n, false, now);
	if (store_said(c, n) < 0)
		tailnet_fail(c, -ENOMEM);
}

void presence_forget(struct coord_node *n)
{
	heap_remove(&n->tailnet->intake->ephemerals, &n->ephemeral);
	heap_remove(&n->tailnet->intake->offline, &n->offline);
}

int presence_expect(struct tailnet *c, struct coord_node *n, struct now now)
{
	return heap_set(&c->intake->offline, &n->offline, now.mono + COORD_RETURN_GRACE);
}

int presence_ephemeral_wait(struct tailnet *c, struct coord_node *n, struct now now)
{
	return heap_set(&c->intake->ephemerals, &n->ephemeral, now.mono + COORD_EPHEMERAL_GRACE);
}

struct coord_node *presence_ephemeral_due(struct tailnet *c, struct now now)
{
	struct heap_node *h;

	if (coord_store_refusal(c->cfg.store))
		return NULL; /* it would be a change: later */
	h = heap_pop_due(&c->intake->ephemerals, now.mono);
	return h ? container_of(h, struct coord_node, ephemeral) : NULL;
}

void presence_tick(struct tailnet *c, struct now now)
{
	struct heap_node *h;

	while ((h = heap_pop_due(&c->intake->offline, now.mono)))
		went_away(c, container_of(h, struct coord_node, offline), now);
}
