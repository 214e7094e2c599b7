/*
 * base/ratelimit: how often something may happen for one host (ipaddr_place): a burst, then so many a second. It is a table of
 * buckets (base/bucket) under one rule, for hosts of which anybody may have as many as he likes; where there is one bucket, or one in
 * something that is there anyway (a connection, a peer), that is base/bucket.
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
	mono_ns full_at[RATELIMIT_SLOTS];
};

bool ratelimit_allow(struct ratelimit *r, struct view host, mono_ns now);

#endif
