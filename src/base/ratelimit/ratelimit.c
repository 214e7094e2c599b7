#include "base/ratelimit/ratelimit.h"
#include "base/map/map.h"

/* One number per bucket: each message moves the time at which the bucket is full by what it costs. */
bool ratelimit_allow(struct ratelimit *r, struct view host, mono_ns now)
{
	const mono_ns cost = SEC(1) / r->per_second;
	mono_ns *full_at = &r->full_at[siphash24(r->seed, host.p, host.len) % RATELIMIT_SLOTS];
	mono_ns from = MAX_OF(*full_at, now);

	if (from + cost - now > r->burst * cost)
		return false;
	*full_at = from + cost;
	return true;
}
