/*
 * core/filter/flows: a bounded memory of flows, the least recently used one going first. Two uses: flows that this node began,
 * which may be answered; and flows that a rule let in, which end when no rule does any more. Not for others.
 */
#ifndef WARREN_CORE_FILTER_FLOWS_H
#define WARREN_CORE_FILTER_FLOWS_H

#include "core/filter/filter.h"

enum { FLOW_KEY_LEN = 2 + 16 + 16 + 2 + 2 };

/* As the inbound packet looks: version, protocol, source, destination, both ports. */
struct flow_key {
	uint8_t b[FLOW_KEY_LEN];
};

struct flow {
	struct flow_key key;
	uint16_t chain; /* next in the bucket */
	uint16_t newer, older;
	bool revoked; /* the rule that let it in is gone */
};

struct flows {
	struct flow *v;
	uint16_t *bucket;
	uint16_t cap, n_buckets; /* both powers of two */
	uint16_t newest, oldest, n, n_revoked;
	uint8_t seed[16];
};

/* -ENOMEM. cap: a power of two, below 2^14. */
MUST_USE int flows_init(struct flows *f, uint16_t cap, struct rng *rng);
void flows_fini(struct flows *f); /* harmless on zeroed memory */
void flows_clear(struct flows *f);
/* Notes the flow that an outbound packet begins or goes on. True: the least recently used one went for it. */
bool flows_note(struct flows *f, const struct ip_pkt *out);
/* The same for an inbound packet that a rule allows: a revoked flow is good again. */
bool flows_admit(struct flows *f, const struct ip_pkt *in);
/* Does this packet belong to a noted flow? Then it counts as used. */
bool flows_match(struct flows *f, const struct ip_pkt *in);
bool flows_is_revoked(const struct flows *f, const struct ip_pkt *in);
/* Other rules: asks for each flow whether it would be let in now. */
void flows_review(struct flows *f, bool (*allowed)(const void *ctx, const struct flow_key *k),
	const void *ctx);

#endif
