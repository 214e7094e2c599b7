#include "base/heap/heap.h"

#include "base/vec/vec.h"

#include <errno.h>

void heap_fini(struct heap *h)
{
	free(h->v);
	*h = (struct heap){ 0 };
}

static void place(struct heap *h, size_t i, struct heap_node *n)
{
	h->v[i] = n;
	n->pos = i + 1;
}

static void sift_up(struct heap *h, size_t i, struct heap_node *n)
{
	while (i > 0 && h->v[(i - 1) / 2]->at > n->at) {
		place(h, i, h->v[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(h, i, n);
}

static void sift_down(struct heap *h, size_t i, struct heap_node *n)
{
	for (;;) {
		size_t kid = 2 * i + 1;

		if (kid >= h->n)
			break;
		if (kid + 1 < h->n && h->v[kid + 1]->at < h->v[kid]->at)
			kid++;
		if (h->v[kid]->at >= n->at)
			break;
		place(h, i, h->v[kid]);
		i = kid;
	}
	place(h, i, n);
}

int heap_set(struct heap *h, struct heap_node *n, mono_ns at)
{
	if (at == MONO_NEVER) {
		heap_remove(h, n);
		return 0;
	}
	if (!n->pos) {
		if (h->n == h->cap &&
			vec_grow(&h->v, &h->cap, sizeof(struct heap_node *), SIZE_MAX) < 0)
			return -ENOMEM;
		n->at = at;
		sift_up(h, h->n++, n);
		return 0;
	}
	if (at < n->at) {
		n->at = at;
		sift_up(h, n->pos - 1, n);
	} else {
		n->at = at;
		sift_down(h, n->pos - 1, n);
	}
	return 0;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
	size_t i = n->pos - 1;
	struct heap_node *last;

	if (!n->pos)
		return;
	n->pos = 0;
	last = h->v[--h->n];
	if (last == n)
		return;
	if (i > 0 && h->v[(i - 1) / 2]->at > last->at)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

struct heap_node *heap_pop_due(struct heap *h, mono_ns now)
{
	struct heap_node *n;

	if (!h->n || h->v[0]->at > now)
		return NULL;
	n = h->v[0];
	heap_remove(h, n);
	return n;
}
