/* What a manager found out or has done, noted for resolver.c, which looks at it in a turn of its own. */
#include "os/resolver/internal.h"

void resolver_tell(struct resolver *r)
{
	loop_timer_set(r->tell, loop_now(r->cfg.loop).mono);
}

void resolver_done(struct resolver *r, enum resolver_state state, int rc)
{
	r->done = true;
	r->result = (struct resolver_result){ state, rc };
	loop_timer_set(r->settle, loop_now(r->cfg.loop).mono);
}

void resolver_once_more(struct resolver *r)
{
	r->once_more = true;
	loop_timer_set(r->settle, loop_now(r->cfg.loop).mono);
}

bool resolver_splits(const struct resolver *r)
{
	return r->ops && r->ops->splits;
}
