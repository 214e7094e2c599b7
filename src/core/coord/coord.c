/* Start and end of it all, and its turns. */
#include "core/coord/internal.h"

#include <errno.h>

/*
 * Made once: it outlives every name. In the shape that the hosted service documents, because there are tools that look at it.
 * Durable with the first turn, and nobody is told of it before.
 */
static int tailnet_id_make(struct tailnet *c)
{
	static const char digits[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	char random[11] = "";

	for (size_t i = 0; i < sizeof(random) - 1; i++)
		random[i] = digits[rng_below(c->cfg.rng, sizeof(digits) - 1)];
	snprintf(c->tailnet_id, sizeof(c->tailnet_id), "T%sCNTRL", random);
	return store_doc(c, COORD_META, 1, &coord_meta_type, &c->meta);
}

const char *coord_tailnet_id(const struct tailnet *c)
{
	return c->tailnet_id;
}

/* Ephemeral devices had no chance to say that they are still there. */
static int after_load(struct tailnet *c, struct now now)
{
	int rc = 0;

	list_for_each(l, &c->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, link);

		if (rc == 0 && n->unsaved)
			rc = store_said(c, n);
		if (rc == 0 && n->expected)
			rc = presence_expect(c, n, now);
		if (rc == 0 && n->doc.ephemeral)
			rc = presence_ephemeral_wait(c, n, now);
	}
	return rc;
}

int coord_new(struct tailnet **ret, const struct coord_cfg *cfg, struct now now, struct err_at *at)
{
	struct tailnet *c = NULL;
	int rc = coord_base_domain_check(cfg->base_domain, at);

	if (rc == 0)
		rc = tailnet_new(&c, cfg);
	if (rc == 0)
		rc = intake_new(c);
	if (rc == 0)
		rc = mapper_new(c);
	if (rc == 0)
		rc = registrar_new(c);
	if (rc == 0)
		rc = coord_load(c, at);
	if (rc == 0 && !*c->tailnet_id)
		rc = tailnet_id_make(c);
	if (rc == 0)
		rc = policy_sync_start(c, now, at);
	if (rc == 0) {
		map_news_take(c, now);
		rc = after_load(c, now);
	}
	if (rc < 0) {
		coord_free(c);
		return rc;
	}
	*ret = c;
	return 0;
}

struct tailnet *coord_free(struct tailnet *c)
{
	if (!c)
		return NULL;
	registrar_free(c);
	mapper_free(c); /* and devices */
	intake_free(c);
	versions_free(c);
	policy_sync_end(c);
	return tailnet_free(c);
}

void coord_tick(struct tailnet *c, struct now now)
{
	registrar_tick(c, now);
	intake_tick(c, now);
	expire_tick(c, now);
	mapper_tick(c, now);
}

mono_ns coord_deadline(const struct tailnet *c)
{
	mono_ns t = mono_min(c->expire_at, registrar_deadline(c));

	return mono_min(t, mono_min(intake_deadline(c), mapper_deadline(c)));
}

int coord_turn_end(struct tailnet *c, struct now now)
{
	struct coord_store *s = c->cfg.store;
	int rc;

	registrar_sweep(c);
	if (!c->failed)
		s->ops->commit(s);
	rc = c->failed ? c->failed : s->failed;
	registrar_answer(c, rc);
	if (rc == 0)
		mapper_turn_end(c, now);
	return rc;
}

int coord_store_back(struct tailnet *c, struct now now)
{
	return policy_sync_routes(c, now);
}

void coord_stats(const struct tailnet *c, struct coord_stats *ret)
{
	*ret = c->stats;
	ret->commits = c->cfg.store->durable;
	ret->changes = c->seq;
}
