#include "core/wg/replay.h"

#include <string.h>

void wg_replay_init(struct replay *r)
{
	memset(r, 0, sizeof(*r));
	CHECK(pthread_mutex_init(&r->lock, NULL) == 0); /* cannot fail for this kind */
}

void wg_replay_fini(struct replay *r)
{
	pthread_mutex_destroy(&r->lock);
}

static bool accept_one(struct replay *r, uint64_t counter, uint64_t limit)
{
	uint64_t block = counter >> 6, bit = (uint64_t)1 << (counter & 63);

	if (counter >= limit)
		return false;
	if (counter > r->highest) {
		uint64_t current = r->highest >> 6, ahead = block - current;

		if (ahead > REPLAY_BLOCKS)
			ahead = REPLAY_BLOCKS;
		for (uint64_t i = 1; i <= ahead; i++)
			r->ring[(current + i) % REPLAY_BLOCKS] = 0;
		r->highest = counter;
	} else if (r->highest - counter > REPLAY_WINDOW) {
		return false;
	}
	if (r->ring[block % REPLAY_BLOCKS] & bit)
		return false;
	r->ring[block % REPLAY_BLOCKS] |= bit;
	return true;
}

void wg_replay_accept(
	struct replay *r, const struct chapoly_job *jobs, size_t n, uint64_t limit, bool *ret_fresh)
{
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < n; i++)
		ret_fresh[i] = jobs[i].ok && accept_one(r, jobs[i].counter, limit);
	pthread_mutex_unlock(&r->lock);
}
