/*
 * Storms: a hub that was away meets all its devices at once. It takes a burst, then so many a second; whoever is one too many gets
 * a time of his own, one after the other at that rate, so that they come back as a queue and not as another storm.
 */
#include "core/ctlserver/world.h"

bool shed(struct ctl *c, struct shed *s, void *owner, struct now now)
{
	mono_ns step, wait;

	if (c->cfg.accept_rate <= 0 || !c->cfg.on_later)
		return false;
	step = SEC(1) / c->cfg.accept_rate;
	if (s->full_at < now.mono)
		s->full_at = now.mono;
	if (s->full_at - now.mono < CTL_ACCEPT_BURST * SEC(1)) {
		s->full_at += step;
		return false;
	}
	s->slot = mono_add(MAX_OF(s->slot, now.mono), step);
	wait = s->slot - now.mono;
	if (wait > SEC(CTL_RETRY_MAX)) { /* the queue is longer than anybody believes: spread over its second half */
		s->slot = now.mono + SEC(CTL_RETRY_MAX);
		wait = SEC(CTL_RETRY_MAX) - (mono_ns)rng_below(c->cfg.rng, (uint64_t)SEC(CTL_RETRY_MAX) / 2);
	}
	c->stats.shed++;
	c->cfg.on_later(owner, (unsigned)((wait + SEC(1) - 1) / SEC(1)),
		VIEW_LIT("too many devices at once; come again after the time in Retry-After\n"));
	return true;
}
