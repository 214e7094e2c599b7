/*
 * Another program changed the database: a person with sqlite3, a backup that was restored into it, another hub. The store finds it out
 * within STORE_LOOK_S.
 *
 *	single documents       --> the engine takes each as it is now, and tells whoever is concerned
 *	one is not simple,     --> all is loaded anew, into a new engine; no change is begun until that is done, what was promised is
 *	or it is not known         written first, and streams of maps end
 *	what changed
 *	it cannot be read      --> the engine that was goes on, no change is made, and it is tried again
 */
#include "hub/auth/tokens.h"
#include "hub/internal.h"
#include "os/log/log.h"
#include "store/sqlite/sqlite.h"

#include <stdio.h>

/* Streams of maps end each time: a program that writes without end shall not keep devices from theirs. */
#define REREAD_EVERY SEC(5)
#define RETRY_EVERY SEC(1)

static int on_change(void *ctx, enum coord_kind kind, int64_t id, const struct view *doc)
{
	struct hub *h = ctx;

	if (kind == COORD_AUDIT) /* read where it is asked for */
		return 0;
	if (kind == COORD_API_TOKEN)
		return tokens_apply(h, id, doc);
	return coord_apply(h->tailnet, kind, id, doc, loop_now(h->loop));
}

void foreign_hear(struct hub *h)
{
	struct coord_store *s = store_sqlite_store(h->store);
	int rc;

	if (s->foreign != COORD_FOREIGN_SOME)
		return;
	rc = s->ops->changes(s, on_change, h);
	if (rc == 0)
		log_info_limited(
			"hub", "what another program changed in the database is taken over", NULL);
}

/* Until it can be read changes are refused, with these words. */
static void refuse_changes(struct hub *h, struct coord_store *s, const char *why)
{
	if (s->refuses != h->unreadable)
		log_error("hub",
			"another program changed the database, and it cannot be read: no change is made until it can",
			"dir=%s why=\"%s\"", h->o->state_dir, why);
	snprintf(h->unreadable, sizeof(h->unreadable),
		"another program changed the hub's database, and it cannot be read (%.200s): no change is made until it can\n",
		why);
	if (!s->refuses)
		s->refuses = h->unreadable;
}

void foreign_begin_anew(struct hub *h)
{
	struct coord_store *s = store_sqlite_store(h->store);
	mono_ns now = loop_now(h->loop).mono;
	struct err_at at = { 0 };
	int rc;

	if (s->foreign != COORD_FOREIGN_ALL || now < h->reread_at ||
		!store_sqlite_is_quiet(h->store))
		return;
	rc = hub_begin_anew(h, &at);
	h->reread_at = now + (rc < 0 ? RETRY_EVERY : REREAD_EVERY);
	if (rc < 0) {
		s->foreign = COORD_FOREIGN_ALL;
		refuse_changes(h, s, at.text[0] ? at.text : err_text(rc));
		return;
	}
	if (s->refuses == h->unreadable)
		s->refuses = NULL;
	h->n.reread++;
	log_warn("hub",
		"another program changed the database, and it was read anew; devices fetch their maps again",
		NULL);
}

mono_ns foreign_deadline(const struct hub *h)
{
	return store_sqlite_store(h->store)->foreign == COORD_FOREIGN_ALL ? h->reread_at
									  : MONO_NEVER;
}
