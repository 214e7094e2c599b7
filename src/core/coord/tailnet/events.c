/* What others have to hear of: the owner of the engine by its callbacks, the readers of maps by what is noted. */
#include "core/coord/tailnet/internal.h"

void tailnet_tell_with_key(const struct tailnet *c, enum coord_event_type type,
	const struct coord_node *n, const struct coord_key *key)
{
	const struct user *u = n->doc.tags.n ? NULL : user_by_id(c, n->doc.user);
	struct coord_event e = {
		.type = type, .node = &n->doc, .owner = u ? &u->doc : NULL, .key = key
	};

	if (c->cfg.on_event)
		c->cfg.on_event(&e);
}

void tailnet_key_is_out(const struct tailnet *c, const struct node_pub *key)
{
	if (c->cfg.on_key_out)
		c->cfg.on_key_out(c->cfg.on_key_out_ctx, key);
}

void tailnet_tell_refusal(
	const struct tailnet *c, const char *what, const char *name, const char *why)
{
	if (c->cfg.on_refusal)
		c->cfg.on_refusal(what, name ? name : "", why);
}

void tailnet_flush_soon(struct tailnet *c, struct now now)
{
	if (c->flush_at == MONO_NEVER)
		c->flush_at = now.mono + COORD_COALESCE;
}

void tailnet_note(struct tailnet *c, struct coord_node *n, unsigned news, struct now now)
{
	if (list_empty(&n->sessions))
		return; /* whoever begins to listen is told everything */
	n->news |= news;
	if (list_empty(&n->in_noted))
		list_push_tail(&c->noted, &n->in_noted);
	tailnet_flush_soon(c, now);
}
