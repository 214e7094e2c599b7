/* base/bucket: a token bucket: so much a second on average, so much at once at the most. */
#ifndef WARREN_BASE_BUCKET_BUCKET_H
#define WARREN_BASE_BUCKET_BUCKET_H

#include "base/time/time.h"

/* rate: tokens a second, below 2^33; 0: no limit. burst: what the full bucket holds. */
struct bucket {
	int64_t rate, burst, tokens;
	mono_ns at; /* when tokens were added last */
};

/* A full one. */
static inline void bucket_init(struct bucket *b, int64_t rate, int64_t burst, mono_ns now)
{
	*b = (struct bucket){ .rate = rate, .burst = burst, .tokens = burst, .at = now };
}

/* Takes n tokens, or none when there are less. */
static inline bool bucket_take(struct bucket *b, int64_t n, mono_ns now)
{
	mono_ns gone = mono_min(now - b->at, SEC(3600));
	int64_t more;

	if (!b->rate)
		return true;
	more = gone / SEC(1) * b->rate + gone % SEC(1) * b->rate / SEC(1);
	if (more > 0) {
		b->tokens = MIN_OF(b->tokens + more, b->burst);
		b->at = now;
	}
	if (b->tokens < n)
		return false;
	b->tokens -= n;
	return true;
}

#endif
