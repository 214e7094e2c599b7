#include "core/wg/replay.h"

bool replay_accept(struct replay *r, uint64_t counter, uint64_t limit)
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
