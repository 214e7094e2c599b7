#include "store/batch/batch.h"

#include <errno.h>
#include <stdlib.h>

void batch_init(struct batch *b, const uint8_t seed[static 16])
{
	list_init(&b->rows);
	map_init(&b->by_key, seed);
	b->bytes = 0;
}

static void drop(struct batch *b, struct batch_row *r)
{
	map_remove(&b->by_key, &r->node);
	list_remove(&r->link);
	b->bytes -= sizeof(*r) + r->len;
	free(r);
}

void batch_clear(struct batch *b)
{
	list_for_each_safe(l, &b->rows)
		drop(b, container_of(l, struct batch_row, link));
	map_fini(&b->by_key);
}

void batch_move(struct batch *to, struct batch *from)
{
	struct map table = to->by_key;
	struct list *l;

	CHECK(batch_is_empty(to));
	while ((l = list_pop_head(&from->rows)))
		list_push_tail(&to->rows, l);
	to->by_key = from->by_key;
	to->bytes = from->bytes;
	from->by_key = table;
	from->bytes = 0;
}

int batch_add(struct batch *b, enum coord_kind kind, int64_t id, const struct view *doc)
{
	size_t len = doc ? doc->len : 0;
	struct batch_row *r = malloc(sizeof(*r) + len);
	struct map_node *old;

	if (!r)
		return -ENOMEM;
	*r = (struct batch_row){ .key = { .kind = kind, .id = id }, .deleted = !doc, .len = len };
	if (len)
		memcpy(r->doc, doc->p, len);
	old = map_find(&b->by_key, &r->key, sizeof(r->key));
	if (old)
		drop(b, container_of(old, struct batch_row, node));
	if (map_insert(&b->by_key, &r->node, &r->key, sizeof(r->key)) != 0) {
		free(r);
		return -ENOMEM;
	}
	list_push_tail(&b->rows, &r->link);
	b->bytes += sizeof(*r) + len;
	return 0;
}
