/*
 * base/ratelimit: how often something may happen for one host (ipaddr_place): a burst, then so many a second.
 *
 * A table of fixed size: a slot is given to another host as soon as its bucket is full again. Hosts that share a slot
 * share its bucket meanwhile, so a full table costs strangers, never memory.
 */
#ifndef WARREN_BASE_RATELIMIT_RATELIMIT_H
#define WARREN_BASE_RATELIMIT_RATELIMIT_H

#include "base/bytes/bytes.h"
#include "base/time/time.h"

enum { RATELIMIT_SLOTS = 1024 };

struct ratelimit {
	unsigned burst, per_second; /* these three: set by the owner */
	uint8_t seed[16];           /* so that nobody can choose who shares a slot with whom */
	mono_ns full_at[RATELIMIT_SLOTS]; /* when the bucket will be full again */
};

bool ratelimit_allow(struct ratelimit *r, struct view host, mono_ns now);

#endif
