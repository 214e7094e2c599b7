/* What a connection may hold, and how it fails when it asks for more. */
#include "core/ts2021/internal.h"

const struct share ts2021_stranger = { .bodies = TS2021_STRANGER_BODY_MAX,
	.streams = TS2021_STRANGER_STREAMS_MAX,
	.h2 = TS2021_STRANGER_H2_MAX,
	.frames_rate = TS2021_STRANGER_FRAMES_RATE,
	.frames_burst = TS2021_STRANGER_FRAMES_BURST };
/* Also a client's, for its server. */
const struct share ts2021_member = { .bodies = TS2021_BODY_MAX,
	.streams = TS2021_STREAMS_MAX,
	.h2 = TS2021_H2_MAX,
	.frames_rate = TS2021_FRAMES_RATE,
	.frames_burst = TS2021_FRAMES_BURST };

int ts2021_fail(struct ts2021 *t, int rc)
{
	if (t->state != TS2021_FAILED)
		t->error = rc;
	t->state = TS2021_FAILED;
	return t->error;
}

void ts2021_tell_limit(struct ts2021 *t, enum ts2021_limit l)
{
	if (t->ops->on_limit)
		t->ops->on_limit(t->owner, l);
}

void ts2021_set_member(struct ts2021 *t)
{
	if (t->member)
		return;
	t->member = true;
	t->share = &ts2021_member;
	t->mem.max = ts2021_member.h2;
	flood_raise(&t->flood, ts2021_member.frames_rate, ts2021_member.frames_burst, t->now);
}
