/*
 * Another program changed the database: a person with sqlite3, a backup that was restored into it, another hub. The store finds it out
 * within STORE_LOOK_S. All is loaded anew then, into a new engine; no change is begun until that is done, and what was promised is
 * written first. If what is on the disk cannot be read, the engine that was goes on, and it is tried again.
 */
#include "hub/internal.h"
#include "os/log/log.h"
#include "store/sqlite/sqlite.h"

/* Streams of maps end each time: a program that writes without end shall not keep devices from theirs. */
#define REREAD_EVERY SEC(5)

static int on_change(void *ctx, enum coord_kind kind, int64_t id, const struct view *doc)
{
	return -ERR_CONFLICT; /* none is taken over by itself */
}

void news_hear(struct hub *h)
{
	struct coord_store *s = store_sqlite_store(h->store);

	if (s->news == COORD_SOME_NEWS)
		(void)s->ops->changes(s, on_change, h);
}

void news_begin_anew(struct hub *h)
{
	struct coord_store *s = store_sqlite_store(h->store);
	mono_ns now = loop_now(h->loop).mono;
	struct err_at at = { 0 };
	int rc;

	if (s->news != COORD_ALL_NEWS || now < h->reread_at || !store_sqlite_is_quiet(h->store))
		return;
	h->reread_at = now + REREAD_EVERY;
	rc = hub_begin_anew(h, &at);
	if (rc < 0) {
		s->news = COORD_ALL_NEWS;
		log_error("hub",
			"another program changed the database, and it cannot be read: no change is made until it can",
			"dir=%s err=%s why=\"%s\"", h->o->state_dir, err_text(rc), at.text);
		return;
	}
	h->n.reread++;
	log_warn("hub",
		"another program changed the database, and it was read anew; devices fetch their maps again",
		NULL);
}

mono_ns news_deadline(const struct hub *h)
{
	return store_sqlite_store(h->store)->news == COORD_ALL_NEWS ? h->reread_at : MONO_NEVER;
}
