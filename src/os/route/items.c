/* Sorted lists of addresses and routes: what is wanted and what is there are compared by them. */
#include "os/route/internal.h"

#include "base/vec/vec.h"

#include <stdlib.h>

int items_cmp(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->p.bits != y->p.bits)
		return x->p.bits < y->p.bits ? -1 : 1;
	return ipaddr_cmp(x->p.ip, y->p.ip);
}

void items_add(struct items *s, enum item_kind kind, struct ipprefix p)
{
	if (s->n == s->cap && vec_grow(&s->v, &s->cap, sizeof(*s->v), SIZE_MAX) < 0) {
		s->failed = true;
		return;
	}
	s->v[s->n++] = (struct item){ (uint8_t)kind, p };
}

void items_sort(struct items *s)
{
	size_t n = 0;

	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), items_cmp);
	for (size_t i = 0; i < s->n; i++)
		if (!n || items_cmp(&s->v[n - 1], &s->v[i]) != 0)
			s->v[n++] = s->v[i];
	s->n = n;
}

void items_fini(struct items *s)
{
	free(s->v);
	*s = (struct items){ 0 };
}
