/*
 * Storms: a hub that was away meets all its devices at once. It takes a burst, then so many a second; whoever is one too many gets
 * a time of his own, one after the other at that rate, so that they come back as a queue and not as another storm.
 *
 * The last part of the burst is for sources that ask seldom: one that asks all the time takes what is above it, and those who come
 * once are served as if it were not there. Many devices behind one address have the rest of the burst.
 */
#include "core/coord/intake/internal.h"

#include "base/bucket/bucket.h"

void shed_init(struct shed *s, const uint8_t seed[static 16])
{
	s->sources = (struct ratelimit){ .burst = COORD_SOURCE_BURST,
		.per_second = COORD_SOURCE_PER_SECOND };
	memcpy(s->sources.seed, seed, sizeof(s->sources.seed));
}

/* Without a source all are alike. */
static bool asks_seldom(struct tailnet *c, struct shed *s, void *owner, struct now now)
{
	struct ipaddr from;

	if (!c->cfg.from)
		return true;
	from = c->cfg.from(owner).ip;
	return ratelimit_allow(&s->sources, ipaddr_place(&from), now.mono);
}

bool shed(struct tailnet *c, struct shed *s, void *owner, struct now now)
{
	const mono_ns burst = COORD_ACCEPT_BURST * SEC(1);
	mono_ns step, wait, room;

	if (c->cfg.accept_rate <= 0 || !c->cfg.on_later)
		return false;
	step = SEC(1) / c->cfg.accept_rate;
	room = asks_seldom(c, s, owner, now) ? burst : burst - burst / COORD_ACCEPT_RESERVE;
	if (bucket_spend(&s->full_at, step, room, now.mono))
		return false;
	s->slot = mono_add(MAX_OF(s->slot, now.mono), step);
	wait = s->slot - now.mono;
	if (wait >
		SEC(COORD_RETRY_MAX)) { /* the queue is longer than anybody believes: spread over its second half */
		s->slot = now.mono + SEC(COORD_RETRY_MAX);
		wait = SEC(COORD_RETRY_MAX) -
		       (mono_ns)rng_below(c->cfg.rng, (uint64_t)SEC(COORD_RETRY_MAX) / 2);
	}
	c->stats.shed++;
	c->cfg.on_later(owner, (unsigned)((wait + SEC(1) - 1) / SEC(1)),
		VIEW_LIT("too many devices at once; come again after the time in Retry-After\n"));
	return true;
}
