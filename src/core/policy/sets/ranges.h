/* core/policy/sets/ranges: a set of addresses as sorted ranges that do not touch each other. */
#ifndef WARREN_CORE_POLICY_SETS_RANGES_H
#define WARREN_CORE_POLICY_SETS_RANGES_H

#include "base/arena/arena.h"
#include "base/netip/netip.h"

struct ranges {
	struct iprange *v; /* IPv4 first, ascending */
	size_t n, cap;
};

void ranges_fini(struct ranges *s);
/* 0, -ENOMEM. */
MUST_USE int ranges_add(struct ranges *s, struct iprange r);
MUST_USE int ranges_remove(struct ranges *s, struct iprange r);
/* For many: push in any order, then sort once. Between the two the set is no set. */
MUST_USE int ranges_push(struct ranges *s, struct iprange r);
void ranges_sort(struct ranges *s);

bool ranges_contain(const struct ranges *s, struct ipaddr a);
bool ranges_overlap(const struct ranges *s, struct iprange r);
/* Is all of r in the set? */
bool ranges_cover(const struct ranges *s, struct iprange r);

/* As few CIDRs as possible, in the arena. */
MUST_USE int ranges_prefixes(
	const struct ranges *s, struct arena *a, struct ipprefix **ret, size_t *ret_n);
/* Is the range exactly one CIDR? */
bool ranges_one_prefix(struct iprange r, struct ipprefix *ret);

#endif
