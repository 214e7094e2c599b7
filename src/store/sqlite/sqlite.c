#include "base/rng/rng.h"
#include "store/sqlite/internal.h"

#include <errno.h>
#include <stdlib.h>

static int change(struct coord_store *store, enum coord_kind kind, int64_t id,
	const struct view *doc, bool promised)
{
	struct store_sqlite *s = store_sqlite_of(store);
	int rc;

	if (s->ignores || feed_settles(s, kind, id, promised))
		return 0;
	rc = batch_add(&s->filling, kind, id, doc, promised);
	write_note_pending(s);
	return rc;
}

static int load(struct coord_store *store, enum coord_kind kind,
	int (*fn)(void *ctx, int64_t id, struct view doc), void *ctx)
{
	struct store_sqlite *s = store_sqlite_of(store);
	int rc = 0, step = SQLITE_DONE;

	sqlite3_bind_int64(s->st[ST_LOAD], 1, store->tailnet);
	sqlite3_bind_int(s->st[ST_LOAD], 2, (int)kind);
	while (rc == 0 && (step = sqlite3_step(s->st[ST_LOAD])) == SQLITE_ROW)
		rc = fn(ctx, sqlite3_column_int64(s->st[ST_LOAD], 0),
			view_of(sqlite3_column_text(s->st[ST_LOAD], 1),
				(size_t)sqlite3_column_bytes(s->st[ST_LOAD], 1)));
	if (rc == 0 && step != SQLITE_DONE) {
		snprintf(s->why, sizeof(s->why), "%s", sqlite3_errmsg(s->db));
		rc = -ERR_STORE;
	}
	sqlite3_reset(s->st[ST_LOAD]);
	return rc;
}

/* While all is to be loaded anew only what was promised is still written. */
static bool has_work(const struct store_sqlite *s)
{
	return !batch_is_empty(&s->filling) &&
	       !(s->store.foreign == COORD_FOREIGN_ALL && coord_store_settled(&s->store));
}

static void commit(struct coord_store *store)
{
	struct store_sqlite *s = store_sqlite_of(store);

	if (store->failed || store->refuses || !has_work(s) || !batch_is_empty(&s->writing))
		return;
	batch_move(&s->writing, &s->filling);
	s->promises_only = store->foreign == COORD_FOREIGN_ALL;
	store->batch++;
	write_begin(s);
}

void store_sqlite_forget(struct store_sqlite *s)
{
	batch_clear(&s->writing);
	batch_clear(&s->filling);
	batch_clear(&s->untold);
	s->store.foreign = COORD_FOREIGN_NONE;
	s->store.failed = 0;
	s->store.promised = s->store.durable;
	write_note_pending(s);
}

void store_sqlite_ignore(struct store_sqlite *s, bool yes)
{
	if (yes)
		s->promised_before = s->store.promised;
	else
		s->store.promised = s->promised_before;
	s->ignores = yes;
}

bool store_sqlite_is_quiet(const struct store_sqlite *s)
{
	return coord_store_settled(&s->store) && batch_is_empty(&s->writing) && !s->looking &&
	       !s->probing;
}

void store_sqlite_look(struct store_sqlite *s)
{
	feed_look(s);
}

static const struct coord_store_ops ops = { change, load, commit, feed_changes, read_doc,
	read_docs };

static int open_tailnet(struct store_sqlite **ret, const char *path, int64_t tailnet,
	bool must_exist, struct err_at *at)
{
	struct store_sqlite *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->store = (struct coord_store){ .ops = &ops, .tailnet = tailnet, .batch = 1 };
	rng_fill(loop_rng(), s->seed, sizeof(s->seed));
	batch_init(&s->filling, s->seed);
	batch_init(&s->writing, s->seed);
	write_init(s);
	feed_init(s);
	rc = schema_open(s, path, must_exist, at);
	if (rc == 0)
		rc = feed_begin(s);
	if (rc == 0)
		rc = read_open(s, path, at);
	if (rc < 0) {
		store_sqlite_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

int store_sqlite_open(
	struct store_sqlite **ret, const char *path, bool must_exist, struct err_at *at)
{
	return open_tailnet(ret, path, 1, must_exist, at);
}

int store_sqlite_open_tailnet(
	struct store_sqlite **ret, const char *path, int64_t tailnet, struct err_at *at)
{
	return open_tailnet(ret, path, tailnet, true, at);
}

bool store_sqlite_was_made(const struct store_sqlite *s)
{
	return s->was_made;
}

int store_sqlite_start(struct store_sqlite *s, struct loop *l)
{
	int rc;

	sqlite3_busy_timeout(s->db, TRY_MS);
	s->loop = l;
	rc = loop_timer_new(l, write_on_probe_timer, s, &s->probe_timer);
	if (rc == 0)
		rc = loop_timer_new(l, feed_on_timer, s, &s->look_timer);
	if (rc == 0)
		rc = worker_new(&s->worker, l);
	if (rc == 0)
		feed_on_timer(s);
	return rc;
}

/* Two rounds: what is being written, and what gathered meanwhile. */
int store_sqlite_stop(struct store_sqlite *s)
{
	if (s->worker) {
		s->ending = true;
		worker_finish(s->worker); /* a probe, too */
		s->store.refuses = NULL;  /* once more, for what is left */
		do {
			commit(&s->store);
			worker_finish(s->worker);
		} while (!s->store.failed && !s->store.refuses && has_work(s));
		s->worker = worker_free(s->worker);
	}
	s->probe_timer = loop_timer_free(s->probe_timer);
	s->look_timer = loop_timer_free(s->look_timer);
	return s->store.failed;
}

void store_sqlite_state(const struct store_sqlite *s, struct store_sqlite_state *ret)
{
	*ret = (struct store_sqlite_state){ .pending = s->filling.bytes + s->writing.bytes,
		.writing_since = s->writing_since,
		.busy = s->busy,
		.busy_times = s->busy_times,
		.refused = s->refused,
		.foreign = s->n_foreign,
		.why = s->why };
}

struct store_sqlite *store_sqlite_close(struct store_sqlite *s)
{
	if (!s)
		return NULL;
	read_close(s);
	schema_close(s);
	batch_clear(&s->filling);
	batch_clear(&s->writing);
	feed_fini(s);
	free(s);
	return NULL;
}

struct coord_store *store_sqlite_store(struct store_sqlite *s)
{
	return &s->store;
}
