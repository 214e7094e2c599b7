#include "store/batch/batch.h"

#include <errno.h>
#include <stdlib.h>

void batch_init(struct batch *b, const uint8_t seed[static 16])
{
	list_init(&b->rows);
	map_init(&b->by_key, seed);
	b->bytes = 0;
}

void batch_drop(struct batch *b, struct batch_row *r)
{
	map_remove(&b->by_key, &r->node);
	list_remove(&r->link);
	b->bytes -= sizeof(*r) + r->len;
	free(r);
}

void batch_clear(struct batch *b)
{
	list_for_each_safe(l, &b->rows)
		batch_drop(b, container_of(l, struct batch_row, link));
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

struct batch_row *batch_find(struct batch *b, const struct batch_row *like)
{
	struct map_node *n = map_find(&b->by_key, &like->key, sizeof(like->key));

	return n ? container_of(n, struct batch_row, node) : NULL;
}

int batch_add(struct batch *b, int64_t kind, int64_t id, const struct view *doc, bool promised)
{
	size_t len = doc ? doc->len : 0;
	struct batch_row *r = malloc(sizeof(*r) + len);
	struct batch_row *old;

	if (!r)
		return -ENOMEM;
	*r = (struct batch_row){
		.key = { .kind = kind, .id = id }, .deleted = !doc, .promised = promised, .len = len
	};
	if (len)
		memcpy(r->doc, doc->p, len);
	old = batch_find(b, r);
	if (old) {
		r->promised |= old->promised;
		batch_drop(b, old);
	}
	if (map_insert(&b->by_key, &r->node, &r->key, sizeof(r->key)) != 0) {
		free(r);
		return -ENOMEM;
	}
	list_push_tail(&b->rows, &r->link);
	b->bytes += sizeof(*r) + len;
	return 0;
}

int batch_add_row(struct batch *b, const struct batch_row *r)
{
	struct view doc = view_of(r->doc, r->len);

	return batch_add(b, r->key.kind, r->key.id, r->deleted ? NULL : &doc, r->promised);
}
