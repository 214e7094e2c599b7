/* The state of this folder, and what comes by time. */
#include "core/coord/register/internal.h"

#include <errno.h>

int registrar_new(struct tailnet *c)
{
	struct ledger_cfg cfg = { .strangers = { COORD_PENDING_BYTES_MAX, SIZE_MAX },
		.members = { COORD_PENDING_BYTES_MAX, SIZE_MAX } };
	struct registrar *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	c->registrar = r;
	memcpy(cfg.seed, c->seed, sizeof(cfg.seed));
	shed_init(&r->shed, c->seed);
	list_init(&r->pendings);
	list_init(&r->answers);
	list_init(&r->pushed_out);
	map_init(&r->pending_by_code, c->seed);
	map_init(&r->pending_by_asker, c->seed);
	return ledger_new(&r->logins, &cfg);
}

void registrar_free(struct tailnet *c)
{
	struct registrar *r = c->registrar;

	if (!r)
		return;
	list_for_each_safe(l, &r->pendings)
		pending_free(c, container_of(l, struct pending, link));
	answers_free(c);
	map_fini(&r->pending_by_code);
	map_fini(&r->pending_by_asker);
	ledger_free(r->logins);
	free(r);
	c->registrar = NULL;
}

void registrar_tick(struct tailnet *c, struct now now)
{
	pending_tick(c, now);
}

mono_ns registrar_deadline(const struct tailnet *c)
{
	return pending_deadline(c);
}

void registrar_sweep(struct tailnet *c)
{
	pending_sweep(c);
}
