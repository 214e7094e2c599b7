/* Up to PEER_GROUP_NODES devices whose documents are compressed together; and the immutable bytes that messages share. */
#include "core/coord/tailnet/internal.h"

#include <errno.h>

struct map_frame *map_frame_raw(const void *p, size_t n)
{
	struct map_frame *q = malloc(sizeof(*q) + n);

	if (!q)
		return NULL;
	q->refs = 1;
	q->len = n;
	memcpy(q->b, p, n);
	return q;
}

struct map_frame *map_frame_get(struct map_frame *p)
{
	p->refs++;
	return p;
}

struct map_frame *map_frame_put(struct map_frame *p)
{
	if (p && --p->refs == 0)
		free(p);
	return NULL;
}

int peer_group_join(struct tailnet *c, struct coord_node *n)
{
	struct peer_group *b = list_empty(&c->groups)
				       ? NULL
				       : container_of(c->groups.next, struct peer_group, link);

	if (!b || b->n == PEER_GROUP_NODES) {
		b = calloc(1, sizeof(*b));
		if (!b)
			return -ENOMEM;
		list_init(&b->nodes);
		b->number = c->n_groups_made++;
		list_push_head(&c->groups, &b->link);
	}
	n->group = b;
	list_push_tail(&b->nodes, &n->in_group);
	b->all = map_frame_put(b->all);
	if (++b->n == PEER_GROUP_NODES) {
		list_remove(&b->link);
		list_push_tail(&c->groups, &b->link);
	}
	return 0;
}

void peer_group_leave(struct tailnet *c, struct coord_node *n)
{
	struct peer_group *b = n->group;

	if (!b)
		return;
	list_remove(&n->in_group);
	list_remove(&b->link);
	b->all = map_frame_put(b->all);
	if (--b->n == 0)
		free(b);
	else
		list_push_head(&c->groups, &b->link);
}
