/*
 * What others changed. Each change of a document is a row in the table `change`, which triggers keep, in the same transaction. A
 * handle has seen the list up to a place:
 *
 *	look   nothing was written by another connection (one read of shared memory): done
 *	       else what is in the list behind the place, in one transaction of reading
 *	write  what is behind the place is read first; then all that follows is ours, and the place moves to the end
 *	either the row at the place is gone or another one: the list was shortened, or the database is another one: all is new
 *
 * The thread finds, the owner resolves: of a document that both changed, our promise counts, and what has none gives way.
 */
#include "os/log/log.h"
#include "store/sqlite/internal.h"

#include <errno.h>

static int read_place(sqlite3_stmt *st, struct feed_place *ret)
{
	int step = sqlite3_step(st);

	*ret = (struct feed_place){ 0 }; /* somebody emptied the list */
	if (step == SQLITE_ROW)
		*ret = (struct feed_place){ .seq = sqlite3_column_int64(st, 0),
			.mark = sqlite3_column_int64(st, 1) };
	sqlite3_reset(st);
	return statement_rc(step);
}

int feed_last(struct store_sqlite *s, struct feed_place *ret)
{
	return read_place(s->st[ST_LAST], ret);
}

/* Is the place that was seen still what it was? */
static int check_history(struct store_sqlite *s, bool *ret)
{
	sqlite3_stmt *st = s->st[ST_MARK];
	int step;

	sqlite3_bind_int64(st, 1, s->seen.seq);
	step = sqlite3_step(st);
	*ret = step == SQLITE_ROW && sqlite3_column_int64(st, 0) == s->seen.mark;
	sqlite3_reset(st);
	return statement_rc(step);
}

static void add_foreign(struct store_sqlite *s, struct feed_found *f)
{
	sqlite3_stmt *st = s->st[ST_FOREIGN];
	struct view doc = view_of(sqlite3_column_blob(st, 2), (size_t)sqlite3_column_bytes(st, 2));
	bool deleted = sqlite3_column_type(st, 2) == SQLITE_NULL;

	f->all = f->rows.bytes + doc.len > STORE_FOREIGN_MAX ||
		 batch_add(&f->rows, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1),
			 deleted ? NULL : &doc, false) < 0;
}

static int read_list(struct store_sqlite *s, struct feed_found *f)
{
	sqlite3_stmt *st = s->st[ST_FOREIGN];
	int step = SQLITE_DONE;

	sqlite3_bind_int64(st, 1, s->store.tailnet);
	sqlite3_bind_int64(st, 2, s->seen.seq);
	while (!f->all && (step = sqlite3_step(st)) == SQLITE_ROW)
		add_foreign(s, f);
	sqlite3_reset(st);
	return statement_rc(step);
}

int feed_read(struct store_sqlite *s, struct feed_found *f, struct feed_place *end)
{
	bool same;
	int rc = feed_last(s, end);

	if (rc < 0 || (end->seq == s->seen.seq && end->mark == s->seen.mark))
		return rc;
	rc = check_history(s, &same);
	if (rc == 0 && same)
		rc = read_list(s, f);
	else if (rc == 0)
		f->all = true;
	return rc;
}

void feed_found_clear(struct feed_found *f)
{
	batch_clear(&f->rows);
	f->all = false;
}

static int count_version(struct store_sqlite *s, int64_t *ret)
{
	struct feed_place p;
	int rc = read_place(s->st[ST_VERSION], &p);

	*ret = p.seq;
	return rc;
}

static int do_step(sqlite3_stmt *st)
{
	int step = sqlite3_step(st);

	sqlite3_reset(st);
	return statement_rc(step);
}

static int try_look(struct store_sqlite *s)
{
	struct feed_place end;
	int64_t version;
	int rc = count_version(s, &version);

	if (rc < 0 || version == s->version)
		return rc;
	rc = do_step(s->st[ST_READ]);
	if (rc < 0)
		return rc;
	rc = feed_read(s, &s->by_look, &end);
	(void)do_step(s->st[ST_COMMIT]); /* it has read only */
	if (rc < 0) {
		feed_found_clear(&s->by_look);
		return rc;
	}
	s->seen = end;
	s->version = version;
	return 0;
}

static void look_job(struct worker_job *j)
{
	struct store_sqlite *s = container_of(j, struct store_sqlite, look);
	int rc = try_look(s);

	if (rc < 0 && rc != -EBUSY)
		log_warn_limited("store", "cannot see what other programs changed in the database",
			"why=\"%s\"", sqlite3_errmsg(s->db));
}

/*
 * True: what another wrote counts. A row of ours that has no promise and is being written may be on top of it: it is then
 * written again, so that memory and disk agree.
 */
static bool counts(struct store_sqlite *s, const struct batch_row *r, bool by_look)
{
	struct batch_row *filling = batch_find(&s->filling, r),
			 *writing = batch_find(&s->writing, r);

	if ((filling && filling->promised) || (writing && writing->promised))
		return false;
	if (filling)
		batch_drop(&s->filling, filling);
	if (writing && by_look && batch_add_row(&s->filling, r) < 0)
		s->store.foreign = COORD_FOREIGN_ALL;
	return true;
}

void feed_tell(struct store_sqlite *s, struct feed_found *f)
{
	if (f->all)
		s->store.foreign = COORD_FOREIGN_ALL;
	list_for_each(l, &f->rows.rows) {
		const struct batch_row *r = container_of(l, struct batch_row, link);

		if (!counts(s, r, f == &s->by_look))
			continue;
		s->n_foreign++;
		if (batch_add_row(&s->untold, r) < 0)
			s->store.foreign = COORD_FOREIGN_ALL;
	}
	feed_found_clear(f);
	if (s->store.foreign == COORD_FOREIGN_NONE && !batch_is_empty(&s->untold))
		s->store.foreign = COORD_FOREIGN_SOME;
}

static void on_looked(struct worker_job *j)
{
	struct store_sqlite *s = container_of(j, struct store_sqlite, look);

	s->looking = false;
	feed_tell(s, &s->by_look);
}

bool feed_settles(struct store_sqlite *s, int64_t kind, int64_t id, bool promised)
{
	struct batch_row like = { .key = { .kind = kind, .id = id } }, *r;

	if (batch_is_empty(&s->untold) || !(r = batch_find(&s->untold, &like)))
		return false;
	if (promised)
		batch_drop(&s->untold, r);
	return !promised;
}

int feed_changes(struct coord_store *store,
	int (*fn)(void *ctx, enum coord_kind kind, int64_t id, const struct view *doc), void *ctx)
{
	struct store_sqlite *s = store_sqlite_of(store);
	struct batch told;
	int rc = 0;

	batch_init(&told, s->seed);
	batch_move(&told, &s->untold); /* fn may change documents */
	if (store->foreign == COORD_FOREIGN_SOME)
		store->foreign = COORD_FOREIGN_NONE;
	list_for_each(l, &told.rows) {
		const struct batch_row *r = container_of(l, struct batch_row, link);
		struct view doc = view_of(r->doc, r->len);

		if (rc >= 0)
			rc = fn(ctx, (enum coord_kind)r->key.kind, r->key.id,
				r->deleted ? NULL : &doc);
	}
	batch_clear(&told);
	if (rc < 0)
		store->foreign = COORD_FOREIGN_ALL;
	return rc < 0 ? rc : 0;
}

void feed_init(struct store_sqlite *s)
{
	batch_init(&s->by_write.rows, s->seed);
	batch_init(&s->by_look.rows, s->seed);
	batch_init(&s->untold, s->seed);
	s->look = (struct worker_job){ .run = look_job, .done = on_looked };
}

int feed_begin(struct store_sqlite *s)
{
	int rc = count_version(s, &s->version);

	return rc < 0 ? rc : feed_last(s, &s->seen);
}

void feed_fini(struct store_sqlite *s)
{
	feed_found_clear(&s->by_write);
	feed_found_clear(&s->by_look);
	batch_clear(&s->untold);
}

void feed_look(struct store_sqlite *s)
{
	if (s->looking || s->store.foreign == COORD_FOREIGN_ALL)
		return;
	s->looking = true;
	if (s->worker) {
		worker_add(s->worker, &s->look);
	} else {
		look_job(&s->look);
		on_looked(&s->look);
	}
}

void feed_on_timer(void *ctx)
{
	struct store_sqlite *s = ctx;

	feed_look(s);
	loop_timer_set(s->look_timer, loop_now(s->loop).mono + SEC(STORE_LOOK_S));
}
