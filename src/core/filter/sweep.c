#include "core/filter/sweep.h"

#include "base/vec/vec.h"

#include <errno.h>

struct sweep_event {
	struct akey at;
	uint32_t id;
	bool on;
};

enum { NOWHERE = UINT32_MAX };

struct span span_whole(bool v6)
{
	return (struct span){ { 0, 0 }, { v6 ? UINT64_MAX : 0, v6 ? UINT64_MAX : UINT32_MAX } };
}

struct span span_of_range(struct ipaddr first, struct ipaddr last)
{
	bool v6 = first.family == 6;

	return (struct span){ akey_load(v6, first.b), akey_load(v6, last.b) };
}

struct span span_of_prefix(struct ipprefix p)
{
	struct iprange r = iprange_of(p);

	return span_of_range(r.first, r.last);
}

int spans_add(struct spans *s, struct span x)
{
	int rc = s->n == s->max ? vec_grow(&s->v, &s->max, sizeof(*s->v), NUMBERS) : 0;

	if (rc < 0)
		return rc;
	s->v[s->n++] = x;
	return 0;
}

static int by_first(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return akey_cmp(x->first, y->first);
}

/* The address behind k. False: k is the last of all, in a family that fills both numbers. */
static bool akey_next(struct akey *k)
{
	k->lo++;
	if (k->lo == 0)
		k->hi++;
	return k->lo || k->hi;
}

void spans_merge(struct spans *s)
{
	size_t n = 0;

	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_first);
	for (size_t i = 0; i < s->n; i++) {
		struct akey behind = n ? s->v[n - 1].last : (struct akey){ 0, 0 };

		if (n && (!akey_next(&behind) || akey_cmp(s->v[i].first, behind) <= 0)) {
			if (akey_cmp(s->v[i].last, s->v[n - 1].last) > 0)
				s->v[n - 1].last = s->v[i].last;
		} else {
			s->v[n++] = s->v[i];
		}
	}
	s->n = n;
}

/* The last span that begins at or before k, or NULL. */
static const struct span *span_before(const struct spans *s, struct akey k)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (akey_cmp(s->v[mid].first, k) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &s->v[lo - 1] : NULL;
}

bool spans_have(const struct spans *s, struct akey k)
{
	const struct span *x = span_before(s, k);

	return x && akey_cmp(k, x->last) <= 0;
}

bool spans_overlap(const struct spans *s, struct span x)
{
	const struct span *y = span_before(s, x.last);

	return y && akey_cmp(x.first, y->last) <= 0;
}

/* Not of 0. */
static struct akey akey_before(struct akey k)
{
	return (struct akey){ k.hi - (k.lo == 0), k.lo - 1 };
}

int spans_without(const struct spans *a, const struct spans *b, struct spans *ret)
{
	size_t k = 0;
	int rc = 0;

	for (size_t i = 0; i < a->n && rc == 0; i++) {
		struct span left = a->v[i];
		bool any = true;

		while (k < b->n && akey_cmp(b->v[k].last, left.first) < 0)
			k++;
		for (size_t j = k;
			j < b->n && any && rc == 0 && akey_cmp(b->v[j].first, left.last) <= 0;
			j++) {
			if (akey_cmp(b->v[j].first, left.first) > 0)
				rc = spans_add(ret,
					(struct span){ left.first, akey_before(b->v[j].first) });
			left.first = b->v[j].last;
			any = akey_cmp(left.first, left.last) < 0 && akey_next(&left.first);
		}
		if (any && rc == 0)
			rc = spans_add(ret, left);
	}
	return rc;
}

void spans_fini(struct spans *s)
{
	free(s->v);
	*s = (struct spans){ 0 };
}

int pieces_add(struct pieces *p, struct akey start, uint32_t value)
{
	int rc = 0;

	if (p->n && akey_cmp(p->start[p->n - 1], start) == 0)
		p->n--;
	if (p->n && p->value[p->n - 1] == value)
		return 0;
	if (p->n == p->max_start)
		rc = vec_grow(&p->start, &p->max_start, sizeof(*p->start), NUMBERS);
	if (rc == 0 && p->n == p->max_value)
		rc = vec_grow(&p->value, &p->max_value, sizeof(*p->value), NUMBERS);
	if (rc < 0)
		return rc;
	p->start[p->n] = start;
	p->value[p->n++] = value;
	return 0;
}

void pieces_fini(struct pieces *p)
{
	free(p->start);
	free(p->value);
	*p = (struct pieces){ 0 };
}

int sweep_init(struct sweep *s, size_t n_ids)
{
	*s = (struct sweep){ .n_ids = n_ids };
	s->active = calloc(n_ids + 1, sizeof(*s->active));
	s->where = calloc(n_ids + 1, sizeof(*s->where));
	if (!s->active || !s->where)
		return -ENOMEM;
	memset(s->where, 0xff, n_ids * sizeof(*s->where));
	return 0;
}

static int add_event(struct sweep *s, struct sweep_event e)
{
	int rc = s->n_events == s->max_events
			 ? vec_grow(&s->events, &s->max_events, sizeof(*s->events), NUMBERS)
			 : 0;

	if (rc < 0)
		return rc;
	s->events[s->n_events++] = e;
	return 0;
}

int sweep_add(struct sweep *s, struct span x, uint32_t id)
{
	struct akey behind = x.last;
	int rc = add_event(s, (struct sweep_event){ .at = x.first, .id = id, .on = true });

	if (rc < 0 || !akey_next(&behind))
		return rc;
	return add_event(s, (struct sweep_event){ .at = behind, .id = id });
}

/* By address; at one address a span of a number ends before the next of that number begins. */
static int by_at(const void *a, const void *b)
{
	const struct sweep_event *x = a, *y = b;
	int c = akey_cmp(x->at, y->at);

	return c ? c : (int)x->on - (int)y->on;
}

void sweep_begin(struct sweep *s)
{
	if (s->n_events)
		qsort(s->events, s->n_events, sizeof(*s->events), by_at);
	s->at = 0;
	s->n_active = 0;
	s->hash[0] = s->hash[1] = 0;
}

/* splitmix64 */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/*
 * The hash of a set is the xor of what its numbers mix to, so a step costs the same however many
 * are active, which base/siphash cannot do. Two sets that meet by chance in 128 bits would be taken for one; whoever could seek
 * that out writes the rules anyway.
 */
static void turn(struct sweep *s, uint32_t id, bool on)
{
	uint32_t at = s->where[id];

	if (on == (at != NOWHERE))
		return;
	s->hash[0] ^= mix(id);
	s->hash[1] ^= mix(~(uint64_t)id);
	if (on) {
		s->where[id] = (uint32_t)s->n_active;
		s->active[s->n_active++] = id;
		return;
	}
	s->active[at] = s->active[--s->n_active];
	s->where[s->active[at]] = at;
	s->where[id] = NOWHERE;
}

bool sweep_next(struct sweep *s)
{
	if (s->at >= s->n_events)
		return false;
	s->here = s->events[s->at].at;
	for (; s->at < s->n_events && akey_cmp(s->events[s->at].at, s->here) == 0; s->at++)
		turn(s, s->events[s->at].id, s->events[s->at].on);
	return true;
}

bool sweep_is_active(const struct sweep *s, uint32_t id)
{
	return s->where[id] != NOWHERE;
}

void sweep_fini(struct sweep *s)
{
	free(s->events);
	free(s->active);
	free(s->where);
	*s = (struct sweep){ 0 };
}
