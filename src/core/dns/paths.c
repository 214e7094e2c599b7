/*
 * What is known of the ways to servers, and in which order they are asked. The first that answers is asked first; a second one joins when the
 * first takes longer than it usually does. One that was not heard of is asked beside the others from time to time, so that it costs nobody
 * anything while it is away, and is used again when it is back.
 */
#include "core/dns/internal.h"

enum { AWAY_SHIFT_MAX = 6 };

#define AWAY_AFTER MSEC(300) /* without any reply */
#define AWAY_FIRST SEC(1)    /* doubled with each failure, up to 64 times */
#define HEDGE_MIN MSEC(50)   /* how long one server is waited for before the next is asked */
#define HEDGE_MAX MSEC(200)
#define FALLBACK_LAG MSEC(450) /* plain DNS, where HTTPS may still come */

bool path_is_away(const struct path *p, mono_ns now)
{
	return p->silent_since && now - p->silent_since > AWAY_AFTER;
}

void path_asked(struct path *p, mono_ns now)
{
	if (!p->silent_since)
		p->silent_since = now;
}

void path_heard(struct path *p, mono_ns rtt)
{
	p->rtt = p->rtt ? (7 * p->rtt + rtt) / 8 : MAX_OF(rtt, 1);
	p->silent_since = p->next_try = 0;
	p->failures = 0;
}

void path_failed(struct path *p, mono_ns now)
{
	mono_ns wait = AWAY_FIRST << MIN_OF(p->failures, (uint32_t)AWAY_SHIFT_MAX);

	p->failures++;
	if (p->place)
		p->place->good_until = 0; /* it may have moved */
	p->next_try = now + wait;
	if (!path_is_away(p, now))
		p->silent_since = now - AWAY_AFTER - 1;
}

static mono_ns hedge(const struct path *p)
{
	mono_ns d = p->rtt ? 2 * p->rtt : HEDGE_MAX;

	return d < HEDGE_MIN ? HEDGE_MIN : d > HEDGE_MAX ? HEDGE_MAX : d;
}

static void add(struct job *j, struct path *p, mono_ns begin)
{
	j->tries[j->n_tries++] = (struct try){ .path = p, .begin = begin, .next = MONO_NEVER };
}

void paths_plan(struct job *j, const struct route *r, bool by_address, mono_ns now)
{
	mono_ns at = now;
	bool https = false;

	j->n_tries = 0;
	for (size_t i = 0; i < r->n_paths; i++) {
		struct path *p = &r->paths[i];

		if (p->loop || path_is_away(p, now) || (by_address && p->place))
			continue;
		https |= p->up.transport == DNS_HTTPS;
		if (p->fallback && https)
			at = MAX_OF(at, now + FALLBACK_LAG);
		add(j, p, at);
		at += hedge(p);
	}
	for (size_t i = 0; i < r->n_paths; i++) {
		struct path *p = &r->paths[i];

		if (p->loop || !path_is_away(p, now) || (by_address && p->place))
			continue;
		if (p->next_try <= now) {
			add(j, p, now);
			p->next_try = now + AWAY_FIRST; /* one question at a time finds out */
		} else {
			add(j, p, at);
			at += HEDGE_MIN;
		}
	}
}
