/* The local indices of a device: which peer, and which handshake or session of it, a message is for. */
#include "core/wg/internal.h"

#include <stdlib.h>

struct index_entry *wg_index_new(struct wg_device *d, struct wg_peer *p)
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

struct index_entry *wg_index_find(struct wg_device *d, uint32_t index)
{
	struct map_node *n = map_find(&d->indices, &index, sizeof(index));

	return n ? container_of(n, struct index_entry, node) : NULL;
}

void wg_index_free(struct wg_device *d, struct index_entry *e)
{
	if (!e)
		return;
	map_remove(&d->indices, &e->node);
	free(e);
}
