#include "core/path/internal.h"

#include <stdlib.h>

struct path_candidate *candidate_find(const struct path *p, struct ipport a)
{
	for (size_t i = 0; i < p->n_cand; i++)
		if (ipport_eq(p->cand[i].addr, a))
			return &p->cand[i];
	return NULL;
}

static void remove_at(struct path *p, size_t i)
{
	bool was_best = ipport_eq(p->cand[i].addr, p->best);

	p->cand[i] = p->cand[--p->n_cand];
	if (was_best)
		path_best_clear(p);
}

void candidates_prune(struct path *p, mono_ns now)
{
	for (size_t i = p->n_cand; i-- > 0;) {
		const struct path_candidate *c = &p->cand[i];
		bool pinged_lately = c->last_got_ping && now - c->last_got_ping <= PATH_LEARNED;
		bool in_use = ipport_eq(c->addr, p->best) && path_is_trusted(p, now);

		if (!c->named_by && !pinged_lately && !in_use)
			remove_at(p, i);
	}
}

/* Room for one more, at the cost of the address that was learned from a ping the longest ago. */
static bool make_room(struct path *p, mono_ns now)
{
	struct path_candidate *oldest = NULL;

	candidates_prune(p, now);
	if (p->n_cand < PATH_CANDIDATES_MAX)
		return true;
	for (size_t i = 0; i < p->n_cand; i++) {
		struct path_candidate *c = &p->cand[i];

		if (!c->named_by && !ipport_eq(c->addr, p->best) &&
			(!oldest || c->last_got_ping < oldest->last_got_ping))
			oldest = c;
	}
	if (!oldest)
		return false;
	remove_at(p, (size_t)(oldest - p->cand));
	return true;
}

struct path_candidate *candidate_get(struct path *p, struct ipport a, mono_ns now, bool *ret_new)
{
	struct path_candidate *c = candidate_find(p, a);

	*ret_new = false;
	if (c)
		return c;
	if (!path_usable_address(a) || (p->n_cand == PATH_CANDIDATES_MAX && !make_room(p, now)))
		return NULL;
	if (p->n_cand == p->cap_cand &&
		vec_grow(&p->cand, &p->cap_cand, sizeof(*p->cand), PATH_CANDIDATES_MAX) < 0)
		return NULL;
	*ret_new = true;
	p->cand[p->n_cand] = (struct path_candidate){ .addr = a };
	return &p->cand[p->n_cand++];
}

/* One source names its addresses anew: mark them, drop what no source names any more. True if there is a new one. */
bool candidates_replace(struct path *p, const struct ipport *eps, size_t n, uint8_t by, mono_ns now)
{
	bool any_new = false, is_new;

	for (size_t i = 0; i < p->n_cand; i++)
		p->cand[i].named_by &= (uint8_t)~by;
	for (size_t i = 0; i < n; i++) {
		struct path_candidate *c = candidate_get(p, eps[i], now, &is_new);

		if (!c)
			continue;
		c->named_by |= by;
		any_new = any_new || is_new;
	}
	candidates_prune(p, now);
	return any_new;
}

bool path_has_candidate(const struct path *p, struct ipport a)
{
	return candidate_find(p, a) != NULL;
}
