/* Whether the other side does its part in time: reads what there is for it, and ends the requests that it began. */
#include "core/ts2021/internal.h"

#include <errno.h>

int ts2021_stall_check(struct stall *p, bool waits, bool moved, uint64_t taken, mono_ns now)
{
	if (!waits) {
		p->since = 0;
		return 0;
	}
	if (!p->since || moved || taken - p->taken >= TS2021_STALL_BYTES) {
		p->since = now ? now : 1;
		p->taken = taken;
		return 1;
	}
	return now - p->since < TS2021_STALL ? 1 : -ETIMEDOUT;
}

/* Is there something of this answer that HTTP/2 has not taken, as the window is closed or others come first? */
static bool waits(const struct ts_stream *s)
{
	return s->has_body && !s->deferred && !s->ended;
}

int ts2021_streams_check(struct ts2021 *t, mono_ns now)
{
	int any = 0, rc;

	list_for_each(l, &t->streams) {
		struct ts_stream *s = container_of(l, struct ts_stream, link);
		bool dry = s->dry;

		s->dry = false;
		if (!s->complete && !t->client) {
			any = 1;
			if (now - s->began < TS2021_REQUEST)
				continue;
			ts2021_tell_limit(t, TS2021_BY_TIME);
			return -ETIMEDOUT;
		}
		rc = ts2021_stall_check(&s->stall, waits(s), dry, s->sent, now);
		if (rc < 0) {
			ts2021_tell_limit(t, TS2021_BY_STALL);
			return rc;
		}
		any |= rc;
	}
	return any;
}
