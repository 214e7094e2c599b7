/* Up to BLOCK_NODES devices whose documents are compressed together; and the immutable bytes that messages share. */
#include "core/coord/tailnet/internal.h"

#include <errno.h>

struct piece *piece_raw(const void *p, size_t n)
{
	struct piece *q = malloc(sizeof(*q) + n);

	if (!q)
		return NULL;
	q->refs = 1;
	q->len = n;
	memcpy(q->b, p, n);
	return q;
}

struct piece *piece_get(struct piece *p)
{
	p->refs++;
	return p;
}

struct piece *piece_put(struct piece *p)
{
	if (p && --p->refs == 0)
		free(p);
	return NULL;
}

int block_join(struct tailnet *c, struct coord_node *n)
{
	struct block *b =
		list_empty(&c->blocks) ? NULL : container_of(c->blocks.next, struct block, link);

	if (!b || b->n == BLOCK_NODES) {
		b = calloc(1, sizeof(*b));
		if (!b)
			return -ENOMEM;
		list_init(&b->nodes);
		b->number = c->n_blocks_made++;
		list_push_head(&c->blocks, &b->link);
	}
	n->block = b;
	list_push_tail(&b->nodes, &n->in_block);
	b->all = piece_put(b->all);
	if (++b->n == BLOCK_NODES) {
		list_remove(&b->link);
		list_push_tail(&c->blocks, &b->link);
	}
	return 0;
}

void block_leave(struct tailnet *c, struct coord_node *n)
{
	struct block *b = n->block;

	if (!b)
		return;
	list_remove(&n->in_block);
	list_remove(&b->link);
	b->all = piece_put(b->all);
	if (--b->n == 0)
		free(b);
	else
		list_push_head(&c->blocks, &b->link);
}
