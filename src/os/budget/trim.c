#include "os/budget/trim.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

struct trim {
	struct loop *loop;
	struct loop_timer *timer;
	struct ledger *of;
	size_t most; /* that was held since the last time */
};

static void on_tick(void *ctx)
{
	struct trim *t = ctx;
	const struct ledger_stats *s = ledger_stats(t->of);
	size_t peak = ledger_take_peak(t->of); /* also what was there and gone between two looks */
	size_t held = s->strangers.now.bytes + s->members.now.bytes + s->leaving.bytes;

	t->most = MAX_OF(t->most, peak);
	if (t->most - held >= TRIM_BYTES) {
		malloc_trim(0);
		t->most = held;
	}
	loop_timer_set(t->timer, mono_add(loop_now(t->loop).mono, TRIM_EVERY));
}

int trim_new(struct loop *l, struct ledger *of, struct trim **ret)
{
	struct trim *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	*t = (struct trim){ .loop = l, .of = of };
	rc = loop_timer_new(l, on_tick, t, &t->timer);
	if (rc < 0) {
		free(t);
		return rc;
	}
	loop_timer_set(t->timer, mono_add(loop_now(l).mono, TRIM_EVERY));
	*ret = t;
	return 0;
}

struct trim *trim_free(struct trim *t)
{
	if (t)
		loop_timer_free(t->timer);
	free(t);
	return NULL;
}
