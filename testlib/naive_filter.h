/*
 * testlib/naive_filter: for the test and the bench of core/filter. Random rules as numbers and as the texts that the
 * hub would send, and their plain reading: rule after rule, source after source.
 */
#ifndef WARREN_TESTLIB_NAIVE_FILTER_H
#define WARREN_TESTLIB_NAIVE_FILTER_H

#include "core/filter/filter.h"

enum { NAIVE_PER_RULE = 4, NAIVE_PACKET_MAX = IP6_LEN + TCP_LEN };

/* Addresses by family and number; of IPv6 the last 8 bytes vary. */
struct naive_range {
	bool v6, both; /* both: "*" */
	uint64_t first, last;
};

struct naive_rule {
	size_t n_src, n_dst, n_proto;
	struct naive_range src[NAIVE_PER_RULE], dst[NAIVE_PER_RULE];
	bool by_cap; /* its only source is "cap:x" */
	uint16_t first[NAIVE_PER_RULE], last[NAIVE_PER_RULE];
	uint8_t proto[NAIVE_PER_RULE];
};

struct naive_packet {
	bool v6, syn, echo;
	uint64_t src, dst;
	uint8_t proto;
	uint16_t sport, dport;
};

/* Which addresses there are: the smaller, the more of them meet. */
struct naive_world {
	uint64_t v4, v6, n;  /* addresses v4 .. v4 + n - 1, and so on */
	uint64_t cap_holder; /* index of the address whose peer holds capability "x" */
	unsigned
		one_in_wide; /* every so many sources or destinations are prefixes, ranges or "*" */
};

struct ipaddr naive_addr(bool v6, uint64_t k);
struct naive_rule naive_rule_random(const struct naive_world *w, struct rng *rng);
struct naive_packet naive_packet_random(const struct naive_world *w, struct rng *rng);
size_t naive_packet_encode(const struct naive_packet *p, uint8_t out[static NAIVE_PACKET_MAX]);
/* As a document, in the arena. */
void naive_rule_write(const struct naive_rule *r, struct tc_filter_rule *ret, struct arena *a);
/* May this packet to a local address that opens a flow pass? */
bool naive_allows(const struct naive_world *w, const struct naive_rule *rules, size_t n,
	const struct naive_packet *p);

#endif
