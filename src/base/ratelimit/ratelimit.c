#include "base/ratelimit/ratelimit.h"
#include "base/bucket/bucket.h"
#include "base/siphash/siphash.h"

bool ratelimit_allow(struct ratelimit *r, struct view host, mono_ns now)
{
	const mono_ns cost = SEC(1) / r->per_second;

	return bucket_spend(&r->full_at[siphash(r->seed, host.p, host.len) % RATELIMIT_SLOTS], cost,
		r->burst * cost, now);
}
