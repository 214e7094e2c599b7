/* core/filter/flows: the last flows that this node began and that may be answered. Not for others.
 */
#ifndef WARREN_CORE_FILTER_FLOWS_H
#define WARREN_CORE_FILTER_FLOWS_H

#include "core/filter/filter.h"

enum { FLOW_KEY_LEN = 2 + 16 + 16 + 2 + 2, FLOW_BUCKETS = 1024 };

/* As an answer would look: version, protocol, source, destination, both ports. */
struct flow_key {
	uint8_t b[FLOW_KEY_LEN];
};

struct flow {
	struct flow_key key;
	uint16_t chain; /* next in the bucket */
	uint16_t newer, older;
};

struct flows {
	struct flow v[FILTER_FLOWS_MAX];
	uint16_t bucket[FLOW_BUCKETS];
	uint16_t newest, oldest, n;
	uint8_t seed[16];
};

void flows_init(struct flows *f, struct rng *rng);
void flows_clear(struct flows *f);
/* Notes an outbound packet's flow, or that it is still in use. True: the least recently used one
 * went for it. */
bool flows_note(struct flows *f, const struct ip_pkt *out);
/* Is this packet an answer? Then its flow counts as used. */
bool flows_match(struct flows *f, const struct ip_pkt *in);

#endif
