/* Look-ups in a DERP map. */
#include "core/relays/internal.h"

const struct tc_derp_region *relays_map_region(const struct tc_derp_map *map, int region)
{
	for (size_t i = 0; map && i < map->regions.n; i++) {
		const struct tc_derp_region *r = map->regions.v[i].value;

		if (r->id == region)
			return r;
	}
	return NULL;
}

const struct tc_derp_node *relays_map_node(const struct tc_derp_region *r, size_t n)
{
	size_t usable = 0;

	for (size_t i = 0; i < r->nodes.n; i++)
		usable += !JSON_AT(r->nodes, struct tc_derp_node, i)->stun_only;
	if (!usable)
		return NULL;
	n %= usable;
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct tc_derp_node *node = JSON_AT(r->nodes, struct tc_derp_node, i);

		if (!node->stun_only && n-- == 0)
			return node;
	}
	return NULL;
}
