/*
 * core/wg/ratelimit: how often something may happen for one host. The engine: handshake messages that it may have answered, once
 * the device is under load and the host has shown by a cookie that its address is its own (WireGuard paper, section 5.3), bursts
 * of 5, then 20 a second. core/mesh: what goes to addresses of others' choosing.
 * core/ctlserver: who asks too often in a storm.
 *
 * A table of fixed size: a slot is given to another host as soon as its bucket is full again. Hosts that share a slot
 * share its bucket meanwhile, so a full table costs strangers, never memory.
 */
#ifndef WARREN_CORE_WG_RATELIMIT_H
#define WARREN_CORE_WG_RATELIMIT_H

#include "base/bytes/bytes.h"
#include "base/time/time.h"

enum { RATELIMIT_SLOTS = 1024, RATELIMIT_BURST = 5, RATELIMIT_PER_SECOND = 20 };

struct ratelimit {
	unsigned burst, per_second; /* these three: set by the owner */
	uint8_t seed[16]; /* so that nobody can choose who shares a slot with whom */
	mono_ns full_at[RATELIMIT_SLOTS]; /* when the bucket will be full again */
};

bool ratelimit_allow(struct ratelimit *r, struct view host, mono_ns now);

#endif
