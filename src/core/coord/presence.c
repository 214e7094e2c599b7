/*
 * Who is online: a device that may take part (its key has not expired, it is approved, and not in quarantine) and holds a
 * stream. Routes follow: who is not online carries none. A stream that ends counts for a short grace, so that restarts and
 * roaming tell nobody; a key that expires counts at that very moment.
 */
#include "core/coord/internal.h"

static bool may_take_part(const struct coord_node *n, unix_ms wall)
{
	return !coord_node_is_expired(n, wall) && !coord_node_is_hidden(n);
}

bool presence_review(struct tailnet *c, struct coord_node *n, struct now now)
{
	bool online = n->here && may_take_part(n, now.wall), was = n->doc.online == JSON_YES;

	if (online == was)
		return false;
	n->doc.online = online ? JSON_YES : JSON_NO;
	c->stats.online += online ? 1 : (size_t)-1;
	/* Who may not take part can still listen. */
	n->doc.last_seen = online || !list_empty(&n->polls) ? now.wall : n->left;
	coord_node_touch(c, n, false, now);
	return true;
}

/* Its routes and what the policy engine knows follow. */
static void follow(struct tailnet *c, struct coord_node *n, struct now now)
{
	if (follow_node(c, n, now) < 0)
		c->store_failed =
			true; /* routes would go where nobody is: better to begin anew from the disk */
}

static void set_here(struct tailnet *c, struct coord_node *n, bool here, struct now now)
{
	if (n->here == here)
		return;
	n->here = here;
	follow(c, n, now);
}

void presence_pause(struct tailnet *c, struct coord_node *n, struct now now)
{
	n->left = now.wall;
	if (n->doc.ephemeral &&
		heap_set(&c->ephemerals, &n->ephemeral, now.mono + COORD_EPHEMERAL_GRACE) < 0)
		heap_remove(&c->ephemerals, &n->ephemeral);
	/* Without memory for a timer it counts as gone. */
	if (heap_set(&c->offline, &n->offline,
		    now.mono + (n->watched ? COORD_WATCH_GRACE : COORD_OFFLINE_GRACE)) < 0)
		set_here(c, n, false, now);
}

/* Online from here on, so that others hear of it once and not twice. */
void coord_node_arrives(struct tailnet *c, struct coord_node *n, struct now now)
{
	if (!list_empty(&n->polls))
		return;
	if (say_arrives(c, n, now))
		set_here(c, n, true, now);
	presence_pause(c, n, now);
}

void presence_begin(struct tailnet *c, struct coord_node *n, struct now now)
{
	heap_remove(&c->ephemerals, &n->ephemeral);
	heap_remove(&c->offline, &n->offline);
	if (say_arrives(c, n,
		    now)) /* one that comes and goes all the time counts as here only now and then */
		set_here(c, n, true, now);
}

static void went_away(struct tailnet *c, struct coord_node *n, struct now now)
{
	set_here(c, n, false, now);
	if (note_node(c, n) < 0)
		c->store_failed = true;
}

void presence_tick(struct tailnet *c, struct now now)
{
	struct heap_node *h;

	/* It would be a change: later, if the store refuses them. */
	while (!coord_store_refusal(c->cfg.store) && (h = heap_pop_due(&c->ephemerals, now.mono)))
		coord_node_remove(c, container_of(h, struct coord_node, ephemeral), now);
	while ((h = heap_pop_due(&c->offline, now.mono)))
		went_away(c, container_of(h, struct coord_node, offline), now);
	expiry_tick(c, now);
}

mono_ns presence_deadline(const struct tailnet *c)
{
	mono_ns leaves =
		coord_store_refusal(c->cfg.store) ? MONO_NEVER : heap_deadline(&c->ephemerals);

	return mono_min(c->expire_at, mono_min(leaves, heap_deadline(&c->offline)));
}
