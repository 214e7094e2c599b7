/* The struct that holds it all: its beginning and its end. */
#include "core/coord/tailnet/internal.h"

#include <errno.h>

int tailnet_new(struct tailnet **ret, const struct coord_cfg *cfg)
{
	struct tailnet *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->cfg = *cfg;
	c->meta.tailnet_id = c->tailnet_id;
	c->flush_at = c->expire_at = MONO_NEVER;
	list_init(&c->users);
	list_init(&c->keys);
	list_init(&c->nodes);
	list_init(&c->noted);
	list_init(&c->groups);
	list_init(&c->versions);
	list_init(&c->routers);
	rng_fill(cfg->rng, c->seed, sizeof(c->seed));
	map_init(&c->users_by_id, c->seed);
	map_init(&c->users_by_name, c->seed);
	map_init(&c->keys_by_hash, c->seed);
	map_init(&c->nodes_by_key, c->seed);
	map_init(&c->nodes_by_id, c->seed);
	map_init(&c->nodes_by_name, c->seed);
	map_init(&c->machines, c->seed);
	map_init(&c->former_keys, c->seed);
	c->hosts = calloc(1, HOSTS_MAX / 8);
	*ret = c;
	return c->hosts ? 0 : -ENOMEM;
}

/* Its devices are gone already. */
struct tailnet *tailnet_free(struct tailnet *c)
{
	list_for_each_safe(l, &c->users)
		user_free(c, container_of(l, struct user, link));
	list_for_each_safe(l, &c->keys)
		authkey_free(c, container_of(l, struct authkey, link));
	map_fini(&c->users_by_id);
	map_fini(&c->users_by_name);
	map_fini(&c->keys_by_hash);
	map_fini(&c->former_keys);
	map_fini(&c->nodes_by_key);
	map_fini(&c->nodes_by_id);
	map_fini(&c->nodes_by_name);
	map_fini(&c->machines);
	heap_fini(&c->expiries);
	arena_fini(&c->settings_mem);
	arena_fini(&c->dns_mem);
	free(c->removed);
	free(c->hosts);
	free(c);
	return NULL;
}
