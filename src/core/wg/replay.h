/*
 * core/wg/replay: which transport counters were seen, in a window of 8128 behind the highest (RFC 6479 with 64-bit
 * blocks; one block of the ring is always being cleared, hence 8192 - 64). May be used by many threads: a lock is taken once a
 * batch.
 */
#ifndef WARREN_CORE_WG_REPLAY_H
#define WARREN_CORE_WG_REPLAY_H

#include "base/attr/attr.h"
#include "crypto/chapoly/chapoly.h"

#include <pthread.h>

enum { REPLAY_BLOCKS = 128, REPLAY_WINDOW = (REPLAY_BLOCKS - 1) * 64 };

struct replay {
	pthread_mutex_t lock; /* of what is below */
	uint64_t highest;
	uint64_t ring[REPLAY_BLOCKS];
};

void wg_replay_init(struct replay *r);
void wg_replay_fini(struct replay *r);
/*
 * Notes the counters of the jobs that are authentic (ok). ret_fresh[i]: it is new and below limit; false for a repeat, one too old,
 * or one that is not authentic.
 */
void wg_replay_accept(struct replay *r, const struct chapoly_job *jobs, size_t n, uint64_t limit,
	bool *ret_fresh);

#endif
