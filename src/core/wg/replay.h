/*
 * core/wg/replay: which transport counters were seen, in a window of 8128 behind the highest (RFC 6479 with 64-bit
 * blocks; one block of the ring is always being cleared, hence 8192 - 64).
 */
#ifndef WARREN_CORE_WG_REPLAY_H
#define WARREN_CORE_WG_REPLAY_H

#include "base/attr/attr.h"

enum { REPLAY_BLOCKS = 128, REPLAY_WINDOW = (REPLAY_BLOCKS - 1) * 64 };

struct replay {
	uint64_t highest;
	uint64_t ring[REPLAY_BLOCKS];
};

/* Notes the counter: true if it is new and below limit, false for a repeat or one too old. */
bool replay_accept(struct replay *r, uint64_t counter, uint64_t limit);

#endif
