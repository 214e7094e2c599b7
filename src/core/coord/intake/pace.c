/*
 * What one device may change, so that it costs the others and the disk little whatever it does: so much at once, so much after it. A
 * place that changes on the way to work is within the burst; who floods is told of to others, and saved, at the pace of the rest.
 */
#include "core/coord/intake/internal.h"

#include "base/bucket/bucket.h"

/* The more readers there are, the slower each byte comes back. */
static mono_ns time_of_bytes(const struct tailnet *c, size_t bytes)
{
	int64_t rate = COORD_FANOUT_RATE / (int64_t)MAX_OF(c->stats.map_sessions, 1);

	rate = MAX_OF(MIN_OF(rate, COORD_TOLD_RATE), COORD_TOLD_RATE_MIN);
	return (mono_ns)MIN_OF(bytes, COORD_TOLD_BURST) * (SEC(1) / rate);
}

mono_ns pace_wait(const struct tailnet *c, const struct coord_node *n, size_t bytes, mono_ns now)
{
	mono_ns burst = COORD_TOLD_BURST * (SEC(1) / COORD_TOLD_RATE);
	mono_ns changes = bucket_lacks(n->pace.changes_full_at, COORD_CHANGE_EVERY,
		COORD_CHANGE_BURST * COORD_CHANGE_EVERY, now);

	return MAX_OF(changes, bucket_lacks(n->pace.bytes_full_at,
				       MIN_OF(time_of_bytes(c, bytes), burst), burst, now));
}

void pace_pay(const struct tailnet *c, struct coord_node *n, size_t bytes, mono_ns now)
{
	mono_ns burst = COORD_TOLD_BURST * (SEC(1) / COORD_TOLD_RATE);

	bucket_charge(&n->pace.changes_full_at, COORD_CHANGE_EVERY, now);
	bucket_charge(&n->pace.bytes_full_at, MIN_OF(time_of_bytes(c, bytes), burst), now);
}

bool pace_refuses(struct tailnet *c, struct coord_node *n, void *owner, struct now now)
{
	mono_ns wait = pace_wait(c, n, COORD_TOLD_MEAN, now.mono);

	if (!wait || !c->cfg.on_later) {
		pace_pay(c, n, COORD_TOLD_MEAN, now.mono);
		return false;
	}
	c->stats.paced_logins++;
	c->cfg.on_later(owner, (unsigned)MIN_OF((wait + SEC(1) - 1) / SEC(1), COORD_RETRY_MAX),
		VIEW_LIT(
			"this device registers too often; come again after the time in Retry-After\n"));
	return true;
}
