/*
 * The end of a turn of the loop: what was decided in it goes to the store, and what waited for the store goes out.
 *
 *	the store takes it --> answers, map messages and replies go, each when its batch is durable
 *	the disk refuses   --> nothing was promised: rows wait, the engine goes on
 *	                       something was: whoever waits for it reads that it is not so, and the engine begins anew from the
 *	                       disk; streams of maps end, devices ask for another, and nothing that was not written is known
 *	another program    --> what it changed is taken over (foreign.c)
 *	the engine failed  --> the same as a crash: the hub ends, and starts from the disk
 */
#include "hub/internal.h"
#include "os/log/log.h"
#include "store/sqlite/sqlite.h"

static void end_with(struct hub *h, int rc, const char *why)
{
	h->failed = rc;
	log_error("hub", "ending, so that memory and disk agree", "dir=%s err=%s why=\"%s\"",
		h->o->state_dir, err_text(rc), why);
	hold_release_failed(h);
	loop_timer_set(h->timer, loop_now(h->loop).mono + HUB_LAST_WORDS);
}

static void begin_anew(struct hub *h)
{
	struct err_at at = { 0 };
	int rc;

	h->n.begun_anew++;
	hold_release_failed(h);
	rc = hub_begin_anew(h, &at);
	if (rc < 0)
		end_with(h, rc, at.text);
	else
		log_warn("hub",
			"what could not be written is undone; devices fetch their maps again",
			NULL);
}

/* The store takes changes again. */
static int come_back(struct hub *h, const struct coord_store *s)
{
	bool back = h->store_refused && !s->refuses;

	h->store_refused = s->refuses;
	return back ? coord_store_back(h->tailnet, loop_now(h->loop)) : 0;
}

void hub_turn_end(void *ctx)
{
	struct hub *h = ctx;
	const struct coord_store *s = store_sqlite_store(h->store);
	uint64_t durable;
	int rc;

	if (h->failed)
		return;
	rc = s->failed ? 0 : come_back(h, s);
	foreign_hear(h);
	do { /* a released connection may hold another request, which belongs to this turn */
		durable = s->durable;
		hold_release(h);
		if (rc == 0)
			rc = coord_turn_end(h->tailnet, loop_now(h->loop));
	} while (rc == 0 && s->durable != durable);
	if (rc < 0 && s->failed && s->refuses)
		begin_anew(h);
	else if (rc < 0)
		end_with(h, rc, s->failed ? "the database refused a commit" : "the engine failed");
	else
		foreign_begin_anew(h);
	if (!h->failed)
		loop_timer_set(h->timer, mono_min(coord_deadline(h->tailnet), foreign_deadline(h)));
}
