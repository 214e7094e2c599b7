/*
 * base/bucket: how often something may happen, or how much may pass: so much at once (the burst), then so much a second (the rate).
 *
 * A bucket is one number, the time at which it is full again; what is taken moves that time by what it costs. (The generic cell rate
 * algorithm, as a virtual schedule.) There is this one engine, in three forms:
 *
 *	bucket_spend    one number; cost and burst as times. For tables of them, and where a rule changes from call to call.
 *	struct bucket   one number with its rule; in tokens: bytes, requests.
 *	base/ratelimit  many numbers under one rule: one for each host, in a table of fixed size.
 */
#ifndef WARREN_BASE_BUCKET_BUCKET_H
#define WARREN_BASE_BUCKET_BUCKET_H

#include "base/time/time.h"

/* ---- The engine ---- */

/*
 * full_at: when the bucket is full again; 0: it is full. cost: how long it takes to refill what is asked for; burst: how long an
 * empty bucket takes. How long to wait until it can be taken; 0: it can be now. For ever positive when cost is above burst.
 */
static inline mono_ns bucket_lacks(mono_ns full_at, mono_ns cost, mono_ns burst, mono_ns now)
{
	return MAX_OF(MAX_OF(full_at - now, 0) + cost - burst, 0);
}

/* Takes it, whether it is there or not. */
static inline void bucket_charge(mono_ns *full_at, mono_ns cost, mono_ns now)
{
	*full_at = MAX_OF(*full_at, now) + cost;
}

/* Takes it, or nothing when it is not there. */
static inline bool bucket_spend(mono_ns *full_at, mono_ns cost, mono_ns burst, mono_ns now)
{
	if (bucket_lacks(*full_at, cost, burst, now))
		return false;
	bucket_charge(full_at, cost, now);
	return true;
}

/* ---- With its rule ---- */

/* rate: tokens a second, below 2^33; 0: no limit. burst: what the full bucket holds. */
struct bucket {
	int64_t rate, burst;
	mono_ns full_at;
};

/* A full one. */
static inline void bucket_init(struct bucket *b, int64_t rate, int64_t burst)
{
	*b = (struct bucket){ .rate = rate, .burst = burst };
}

/* How long n tokens take to come, rounded up; a generation at the most, so that times can be added. */
static inline mono_ns bucket_time_of(const struct bucket *b, int64_t n)
{
	return SEC(MIN_OF(n / b->rate, INT64_C(1) << 30)) +
	       (n % b->rate * SEC(1) + b->rate - 1) / b->rate;
}

/* Takes n tokens, or none when there are less. */
static inline bool bucket_take(struct bucket *b, int64_t n, mono_ns now)
{
	if (!b->rate)
		return true;
	return n <= b->burst &&
	       bucket_spend(&b->full_at, bucket_time_of(b, n), bucket_time_of(b, b->burst), now);
}

/* Puts n tokens back; it gets no fuller than full. */
static inline void bucket_give(struct bucket *b, int64_t n)
{
	if (b->rate)
		b->full_at -= bucket_time_of(b, n);
}

/* Another rule from now on; what was taken stays taken. Neither rate is 0. */
static inline void bucket_change(struct bucket *b, int64_t rate, int64_t burst, mono_ns now)
{
	mono_ns gone = MAX_OF(b->full_at - now, 0);
	int64_t taken = gone / SEC(1) * b->rate + gone % SEC(1) * b->rate / SEC(1);

	*b = (struct bucket){ .rate = rate, .burst = burst };
	b->full_at = now + bucket_time_of(b, taken);
}

#endif
