/* What is written: a batch in one transaction, and, when the disk refuses, a probe of it. */
#include "os/log/log.h"
#include "store/sqlite/internal.h"

#include <errno.h>
#include <time.h>

/* -EBUSY: another process holds the database. */
static int run(struct store_sqlite *s, sqlite3_stmt *st)
{
	int step = sqlite3_step(st);

	if (step != SQLITE_DONE && step != SQLITE_ROW && !is_busy(step))
		snprintf(s->why, sizeof(s->why), "%s", sqlite3_errmsg(s->db));
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return statement_rc(step);
}

void write_note_pending(struct store_sqlite *s)
{
	s->store.full = s->filling.bytes + s->writing.bytes > STORE_PENDING_MAX;
}

/* What has no promise gives way to what others wrote meanwhile. */
static bool gives_way(struct store_sqlite *s, const struct batch_row *r)
{
	return !r->promised &&
	       (s->promises_only || s->by_write.all || batch_find(&s->by_write.rows, r));
}

static int write_row(struct store_sqlite *s, const struct batch_row *r)
{
	sqlite3_stmt *st = r->deleted ? s->st[ST_DEL] : s->st[ST_PUT];

	schema_bind_key(s, st, r->key.kind, r->key.id);
	if (!r->deleted)
		sqlite3_bind_text(st, 4, (const char *)r->doc, (int)r->len, SQLITE_STATIC);
	return run(s, st);
}

static int write_rows(struct store_sqlite *s)
{
	int rc = 0;

	list_for_each(l, &s->writing.rows) {
		const struct batch_row *r = container_of(l, struct batch_row, link);

		if (rc == 0 && !gives_way(s, r))
			rc = write_row(s, r);
	}
	return rc;
}

/* The list of changes keeps its newest rows, the newest of all always: no number is used again. */
static int shorten_list(struct store_sqlite *s, const struct feed_place *end)
{
	sqlite3_bind_int64(s->st[ST_FORGET], 1, end->seq - STORE_CHANGES_KEPT);
	return run(s, s->st[ST_FORGET]);
}

static int feed_failed(struct store_sqlite *s, int rc)
{
	if (rc == -ERR_STORE)
		snprintf(s->why, sizeof(s->why), "%s", sqlite3_errmsg(s->db));
	return rc;
}

/* What others wrote since the last look is read first, so that all that is in the list after that is ours. */
static int write_transaction(struct store_sqlite *s)
{
	struct feed_place end;
	int rc = feed_failed(s, feed_read(s, &s->by_write, &end));

	if (rc == 0)
		rc = write_rows(s);
	if (rc == 0)
		rc = feed_failed(s, feed_last(s, &end));
	if (rc == 0)
		rc = shorten_list(s, &end);
	if (rc == 0)
		rc = run(s, s->st[ST_COMMIT]);
	if (rc == 0)
		s->seen = end;
	return rc;
}

static int try_write(struct store_sqlite *s)
{
	int rc = run(s, s->st[ST_BEGIN]);

	if (rc < 0)
		return rc;
	rc = write_transaction(s);
	if (rc < 0) {
		char why[sizeof(s->why)];

		feed_found_clear(&s->by_write); /* the next one finds it again */
		memcpy(why, s->why, sizeof(why));
		(void)run(s, s->st[ST_ROLLBACK]); /* it may be rolled back already, and say so */
		memcpy(s->why, why, sizeof(why));
	}
	return rc;
}

static mono_ns clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return SEC(t.tv_sec) + t.tv_nsec;
}

/* In the thread. Each try waits TRY_MS inside SQLite. */
static int write_or_wait(struct store_sqlite *s)
{
	mono_ns since = clock_now(), end = since + SEC(STORE_BUSY_S);
	int rc = try_write(s);

	if (rc != -EBUSY)
		return rc;
	s->busy = true;
	s->busy_times++;
	log_warn("store", "another process holds the database: changes wait for it",
		"seconds_at_most=%d", STORE_BUSY_S);
	while (rc == -EBUSY && clock_now() < end) {
		if (s->ending)
			end = mono_min(end, clock_now() + SEC(STORE_LAST_BUSY_S));
		rc = try_write(s);
	}
	s->busy = false;
	if (rc == 0)
		log_info("store", "the database is free again, and all that waited is written",
			"seconds=%lld", (long long)((clock_now() - since) / SEC(1)));
	else if (rc == -EBUSY)
		snprintf(s->why, sizeof(s->why),
			"another process has held the database for %lld seconds",
			(long long)((clock_now() - since) / SEC(1)));
	return rc == -EBUSY ? -ERR_STORE : rc;
}

static void write_job(struct worker_job *j)
{
	struct store_sqlite *s = container_of(j, struct store_sqlite, job);

	s->job_rc = write_or_wait(s);
}

/* What was to be written goes back to what gathered meanwhile, of which a document's later form counts. */
static int take_back(struct store_sqlite *s)
{
	struct batch later = { 0 };
	int rc = 0;

	batch_init(&later, s->seed);
	batch_move(&later, &s->filling);
	batch_move(&s->filling, &s->writing);
	list_for_each(l, &later.rows) {
		if (rc == 0)
			rc = batch_add_row(&s->filling, container_of(l, struct batch_row, link));
	}
	batch_clear(&later);
	return rc;
}

static void probe_later(struct store_sqlite *s)
{
	loop_timer_set(s->probe_timer, loop_now(s->loop).mono + SEC(STORE_PROBE_S));
}

static void on_refused(struct store_sqlite *s)
{
	s->refused++;
	snprintf(s->refusal, sizeof(s->refusal),
		"the hub cannot write its database (%.200s): no change is made until it can\n",
		s->why);
	s->store.refuses = s->refusal;
	probe_later(s);
	log_error("store",
		"the database cannot be written: no change is made until it can, all else goes on",
		"why=\"%s\"", s->why);
	if (s->store.promised > s->store.durable || take_back(s) < 0)
		s->store.failed = s->job_rc;
}

static void on_written(struct worker_job *j)
{
	struct store_sqlite *s = container_of(j, struct store_sqlite, job);

	s->writing_since = 0;
	if (s->job_rc < 0 && s->worker) {
		on_refused(s);
	} else {
		feed_tell(s, &s->by_write);
		batch_clear(&s->writing);
		s->store.failed = s->job_rc;
		if (!s->store.failed)
			s->store.durable = s->store.batch - 1;
	}
	write_note_pending(s);
}

void write_begin(struct store_sqlite *s)
{
	if (s->worker) {
		s->writing_since = loop_now(s->loop).mono;
		worker_add(s->worker, &s->job);
	} else {
		write_job(&s->job);
		on_written(&s->job);
	}
}

/* Two transactions: pages that are written and freed in one are not written. */
static int try_probe(struct store_sqlite *s)
{
	static const uint8_t zeros[STORE_PROBE_LEN];
	int rc;

	schema_bind_key(s, s->st[ST_PUT], PROBE_KIND, 0);
	sqlite3_bind_blob(s->st[ST_PUT], 4, zeros, sizeof(zeros), SQLITE_STATIC);
	rc = run(s, s->st[ST_PUT]);
	if (rc < 0)
		return rc;
	schema_bind_key(s, s->st[ST_DEL], PROBE_KIND, 0);
	return run(s, s->st[ST_DEL]);
}

static void probe_job(struct worker_job *j)
{
	struct store_sqlite *s = container_of(j, struct store_sqlite, probe);

	s->probe_rc = try_probe(s);
}

static void on_probed(struct worker_job *j)
{
	struct store_sqlite *s = container_of(j, struct store_sqlite, probe);

	s->probing = false;
	if (s->probe_rc < 0) {
		probe_later(s);
		return;
	}
	s->store.refuses = NULL;
	log_info("store", "the database can be written again", NULL);
}

void write_on_probe_timer(void *ctx)
{
	struct store_sqlite *s = ctx;

	s->probing = true;
	worker_add(s->worker, &s->probe);
}

void write_init(struct store_sqlite *s)
{
	s->job = (struct worker_job){ .run = write_job, .done = on_written };
	s->probe = (struct worker_job){ .run = probe_job, .done = on_probed };
}
