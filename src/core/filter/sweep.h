/*
 * core/filter/sweep: sets of address ranges laid over each other. The line of all addresses of a
 * family is cut where any range begins or ends; over each piece the same ranges lie. Not for
 * others.
 */
#ifndef WARREN_CORE_FILTER_SWEEP_H
#define WARREN_CORE_FILTER_SWEEP_H

#include "base/netip/netip.h"

/* An address as a number; IPv4 in lo. */
struct akey {
	uint64_t hi, lo;
};

/* Most things of one kind: their numbers have 32 bits. Whoever fills a table counts ranges (FILTER_RANGES_MAX) and cells (FILTER_TABLE_MAX). */
#define NUMBERS ((size_t)UINT32_MAX)

struct span {
	struct akey first, last;
};

struct spans {
	struct span *v;
	size_t n, max;
};

static inline int akey_cmp(struct akey a, struct akey b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return a.lo < b.lo ? -1 : a.lo > b.lo;
}

/* The bytes of a packet: 4 or 16 of them. */
static inline struct akey akey_load(bool v6, const uint8_t *p)
{
	return v6 ? (struct akey){ load_be64(p), load_be64(p + 8) }
		  : (struct akey){ 0, load_be32(p) };
}

static inline bool span_has(struct span s, struct akey k)
{
	return akey_cmp(s.first, k) <= 0 && akey_cmp(k, s.last) <= 0;
}

struct span span_whole(bool v6);
struct span span_of_prefix(struct ipprefix p);
struct span span_of_range(struct ipaddr first, struct ipaddr last);

MUST_USE int spans_add(struct spans *s, struct span x); /* -ENOMEM */
/* Sorted, nothing overlaps or touches any more. */
void spans_merge(struct spans *s);
/* Of merged spans. */
bool spans_have(const struct spans *s, struct akey k);
bool spans_overlap(const struct spans *s, struct span x);
/* Adds to ret what is in a and not in b, both merged. -ENOMEM. */
MUST_USE int spans_without(const struct spans *a, const struct spans *b, struct spans *ret);
void spans_fini(struct spans *s);

/* Pieces of the line with a number each; the first begins at 0. */
struct pieces {
	struct akey *start;
	uint32_t *value;
	size_t n, max_start, max_value;
};

/* Adds a piece that begins here, unless the one before has that value; again at the same place
 * replaces it. */
MUST_USE int pieces_add(struct pieces *p, struct akey start, uint32_t value);
void pieces_fini(struct pieces *p);

/* The value over k. */
static inline uint32_t pieces_find(const struct pieces *p, struct akey k)
{
	size_t at = 0, n = p->n;

	while (n > 1) { /* start[at] <= k, and the piece is among the n from here */
		size_t half = n / 2;

		if (akey_cmp(p->start[at + half], k) <= 0)
			at += half;
		n -= half;
	}
	return p->value[at];
}

/* A walk along the line. Spans are numbered by the caller; several may share a number if they don't
 * overlap. */
struct sweep {
	struct sweep_event *events;
	size_t n_events, max_events, at;
	uint32_t *active, *where; /* the numbers whose spans lie here; where each is in `active` */
	size_t n_active, n_ids;
	uint64_t hash[2]; /* of the set of active numbers */
	struct akey here; /* begin of the current piece */
};

MUST_USE int sweep_init(struct sweep *s, size_t n_ids); /* -ENOMEM */
MUST_USE int sweep_add(struct sweep *s, struct span x, uint32_t id);
void sweep_begin(struct sweep *s);
/* Moves to the next piece: false behind the last. */
bool sweep_next(struct sweep *s);
bool sweep_is_active(const struct sweep *s, uint32_t id);
void sweep_fini(struct sweep *s);

#endif
