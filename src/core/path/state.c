/* What a path is at a moment, without deciding anything. */
#include "core/path/internal.h"

bool path_is_active(const struct path *p, mono_ns now)
{
	return p->last_send && now - p->last_send <= PATH_ACTIVE;
}

bool path_is_trusted(const struct path *p, mono_ns now)
{
	return ipaddr_is_set(p->best.ip) && now <= p->trust_until;
}

bool path_is_direct(const struct path *p, mono_ns now)
{
	return path_is_trusted(p, now) && !p->degraded;
}

void path_best_clear(struct path *p)
{
	if (ipport_eq(p->best, p->last_rx_addr))
		p->last_rx_credit = p->best_credit;
	p->best_credit = 0;
	p->best = (struct ipport){ 0 };
	p->best_latency = p->trust_until = p->unanswered_since = 0;
	p->degraded = false;
	p->has_changed = true;
}
