#include "core/netcheck/internal.h"

static const mono_ns heard_lately = SEC(8), /* shows that the region works */
	heard_at_all = SEC(120),            /* two keep-alives of a relay */
	not_worth_it = MSEC(10);

void home_remember(struct region *r, mono_ns latency, mono_ns now)
{
	r->history[r->next_history] = (struct sample){ now, latency };
	r->next_history = (r->next_history + 1) % NETCHECK_HISTORY;
	r->n_history = MIN_OF(r->n_history + 1, (size_t)NETCHECK_HISTORY);
}

/* The best of the last five minutes: a single slow answer does not make us move. */
static mono_ns best_recent(const struct region *r, mono_ns now)
{
	mono_ns best = r->now.all;

	for (size_t i = 0; i < r->n_history; i++)
		if (now - r->history[i].at <= HOME_HISTORY && r->history[i].latency < best)
			best = r->history[i].latency;
	return best;
}

/* As the hub sees it: it may want some regions less (or more) than their latency says. */
static mono_ns scored(const struct region *r, mono_ns latency)
{
	return r->score > 0 ? (mono_ns)((double)latency * r->score) : latency;
}

static bool heard_since(const struct region *r, mono_ns then)
{
	return r->heard_at && r->heard_at >= then;
}

int home_choose(const struct region *r, size_t n, int old, mono_ns round_started, mono_ns now)
{
	const struct region *best = NULL, *was = NULL;
	mono_ns best_latency = 0, old_latency;

	for (size_t i = 0; i < n; i++) {
		mono_ns recent = scored(&r[i], best_recent(&r[i], now));

		if (r[i].id == old)
			was = &r[i];
		if (!r[i].measured || !r[i].now.all || (best && recent >= best_latency))
			continue;
		best = &r[i];
		best_latency = recent;
	}
	if (!best)
		return was && heard_since(was, now - heard_at_all + 1) ? old : 0;
	if (!was || was == best || !was->measured)
		return best->id;
	if (!was->now.all && !heard_since(was, mono_min(round_started, now - heard_lately)))
		return best->id;
	/* Moving costs the peers a moment: only for a gain that one can feel. */
	old_latency = scored(was, was->now.all);
	if (old_latency - best_latency < not_worth_it || best_latency > old_latency * 2 / 3)
		return old;
	return best->id;
}
