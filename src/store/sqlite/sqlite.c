#include "store/sqlite/sqlite.h"
#include "base/rng/rng.h"
#include "os/log/log.h"
#include "os/worker/worker.h"
#include "store/batch/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	SCHEMA_VERSION =
		2, /* 2: settings and policies, which a hub that knows 1 would leave aside */
	START_BUSY_MS = 5000,
	TRY_MS =
		250, /* SQLite's own tries; between two of ours the writer looks whether the program ends */
	PROBE_KIND = -1,
};

struct store_sqlite {
	struct coord_store store;
	sqlite3 *db; /* of the thread, once it runs; so are the statements */
	sqlite3_stmt *put, *del, *load, *begin, *commit, *rollback;
	struct batch filling, writing;
	uint8_t seed[16];
	bool was_made;
	struct loop *loop;
	struct worker *worker; /* NULL: commits write in place */
	struct worker_job job; /* while writing is not empty */
	mono_ns writing_since;
	int job_rc;
	char why[256];     /* of job_rc */
	char refusal[320]; /* store.refuses, when it does */
	struct worker_job probe;
	struct loop_timer *probe_timer;
	int probe_rc;
	uint64_t refused;
	atomic_bool busy, ending;
	atomic_ullong busy_times;
};

static struct store_sqlite *of(struct coord_store *s)
{
	return container_of(s, struct store_sqlite, store);
}

static bool is_busy(int step)
{
	return (step & 0xff) == SQLITE_BUSY || (step & 0xff) == SQLITE_LOCKED;
}

/* -EBUSY: another process holds the database. */
static int run(struct store_sqlite *s, sqlite3_stmt *st)
{
	int step = sqlite3_step(st);

	if (step != SQLITE_DONE && step != SQLITE_ROW && !is_busy(step))
		snprintf(s->why, sizeof(s->why), "%s", sqlite3_errmsg(s->db));
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return step == SQLITE_DONE || step == SQLITE_ROW ? 0 : is_busy(step) ? -EBUSY : -ERR_STORE;
}

/* After every change of what waits. */
static void note_pending(struct store_sqlite *s)
{
	s->store.full = s->filling.bytes + s->writing.bytes > STORE_PENDING_MAX;
}

static int put(struct coord_store *store, enum coord_kind kind, int64_t id, struct view doc)
{
	int rc = batch_add(&of(store)->filling, kind, id, &doc);

	note_pending(of(store));
	return rc;
}

static int del(struct coord_store *store, enum coord_kind kind, int64_t id)
{
	int rc = batch_add(&of(store)->filling, kind, id, NULL);

	note_pending(of(store));
	return rc;
}

static int load(struct coord_store *store, enum coord_kind kind,
	int (*fn)(void *ctx, int64_t id, struct view doc), void *ctx)
{
	struct store_sqlite *s = of(store);
	int rc = 0, step = SQLITE_DONE;

	sqlite3_bind_int(s->load, 1, (int)kind);
	while (rc == 0 && (step = sqlite3_step(s->load)) == SQLITE_ROW)
		rc = fn(ctx, sqlite3_column_int64(s->load, 0),
			view_of(sqlite3_column_text(s->load, 1),
				(size_t)sqlite3_column_bytes(s->load, 1)));
	if (rc == 0 && step != SQLITE_DONE) {
		snprintf(s->why, sizeof(s->why), "%s", sqlite3_errmsg(s->db));
		rc = -ERR_STORE;
	}
	sqlite3_reset(s->load);
	return rc;
}

static int write_row(struct store_sqlite *s, const struct batch_row *r)
{
	sqlite3_stmt *st = r->deleted ? s->del : s->put;

	sqlite3_bind_int64(st, 1, r->key.kind);
	sqlite3_bind_int64(st, 2, r->key.id);
	if (!r->deleted)
		sqlite3_bind_text(st, 3, (const char *)r->doc, (int)r->len, SQLITE_STATIC);
	return run(s, st);
}

static int try_write(struct store_sqlite *s)
{
	int rc = run(s, s->begin);

	if (rc < 0)
		return rc;
	list_for_each(l, &s->writing.rows)
		if (rc == 0)
			rc = write_row(s, container_of(l, struct batch_row, link));
	if (rc == 0)
		rc = run(s, s->commit);
	if (rc < 0) {
		char why[sizeof(s->why)];

		memcpy(why, s->why, sizeof(why));
		(void)run(s, s->rollback); /* it may be rolled back already, and say so */
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
		const struct batch_row *r = container_of(l, struct batch_row, link);
		struct view doc = view_of(r->doc, r->len);

		if (rc == 0)
			rc = batch_add(&s->filling, (enum coord_kind)r->key.kind, r->key.id,
				r->deleted ? NULL : &doc);
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
		batch_clear(&s->writing);
		s->store.failed = s->job_rc;
		if (!s->store.failed)
			s->store.durable = s->store.batch - 1;
	}
	note_pending(s);
}

/* Two transactions: pages that are written and freed in one are not written. */
static int try_probe(struct store_sqlite *s)
{
	static const uint8_t zeros[STORE_PROBE_LEN];
	int rc;

	sqlite3_bind_int64(s->put, 1, PROBE_KIND);
	sqlite3_bind_int64(s->put, 2, 0);
	sqlite3_bind_blob(s->put, 3, zeros, sizeof(zeros), SQLITE_STATIC);
	rc = run(s, s->put);
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(s->del, 1, PROBE_KIND);
	sqlite3_bind_int64(s->del, 2, 0);
	return run(s, s->del);
}

static void probe_job(struct worker_job *j)
{
	struct store_sqlite *s = container_of(j, struct store_sqlite, probe);

	s->probe_rc = try_probe(s);
}

static void on_probed(struct worker_job *j)
{
	struct store_sqlite *s = container_of(j, struct store_sqlite, probe);

	if (s->probe_rc < 0) {
		probe_later(s);
		return;
	}
	s->store.refuses = NULL;
	log_info("store", "the database can be written again", NULL);
}

static void on_probe_timer(void *ctx)
{
	struct store_sqlite *s = ctx;

	worker_add(s->worker, &s->probe);
}

void store_sqlite_forget(struct store_sqlite *s)
{
	batch_clear(&s->writing);
	batch_clear(&s->filling);
	s->store.failed = 0;
	s->store.promised = s->store.durable;
	note_pending(s);
}

static void commit(struct coord_store *store)
{
	struct store_sqlite *s = of(store);

	if (store->failed || store->refuses || batch_is_empty(&s->filling) ||
		!batch_is_empty(&s->writing))
		return;
	batch_move(&s->writing, &s->filling);
	store->batch++;
	if (s->worker) {
		s->writing_since = loop_now(s->loop).mono;
		worker_add(s->worker, &s->job);
	} else {
		write_job(&s->job);
		on_written(&s->job);
	}
}

static const struct coord_store_ops ops = { put, del, load, commit };

static int user_version(sqlite3 *db)
{
	sqlite3_stmt *st;
	int v = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK &&
		sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return v;
}

static int migrate(struct store_sqlite *s, bool must_exist, struct err_at *at)
{
	int v = user_version(s->db);

	if (v == 0 && must_exist) {
		err_at_set(at, 0, 0, "holds no tables of a hub");
		return -ENOENT;
	}
	s->was_made = v == 0;
	if (v > SCHEMA_VERSION) {
		err_at_set(at, 0, 0,
			"the database is from a newer version (%d, this one knows %d); update the hub",
			v, SCHEMA_VERSION);
		return -ERR_BAD_VERSION;
	}
	if (v < 1 &&
		sqlite3_exec(s->db,
			"BEGIN; CREATE TABLE doc (kind INTEGER, id INTEGER, doc TEXT NOT NULL, PRIMARY KEY (kind, id)) "
			"WITHOUT ROWID; PRAGMA user_version = 1; COMMIT",
			NULL, NULL, NULL) != SQLITE_OK)
		return -ERR_STORE;
	if (v < 2 && sqlite3_exec(s->db, "PRAGMA user_version = 2", NULL, NULL, NULL) != SQLITE_OK)
		return -ERR_STORE;
	return 0;
}

static int prepare(struct store_sqlite *s)
{
	const struct {
		sqlite3_stmt **st;
		const char *sql;
	} rows[] = { { &s->put, "INSERT OR REPLACE INTO doc (kind, id, doc) VALUES (?, ?, ?)" },
		{ &s->del, "DELETE FROM doc WHERE kind = ? AND id = ?" },
		{ &s->load, "SELECT id, doc FROM doc WHERE kind = ? ORDER BY id" },
		{ &s->begin, "BEGIN IMMEDIATE" }, { &s->commit, "COMMIT" },
		{ &s->rollback, "ROLLBACK" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (sqlite3_prepare_v3(s->db, rows[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
			    rows[i].st, NULL) != SQLITE_OK)
			return -ERR_STORE;
	return 0;
}

/* SQLite would use the umask; and it makes a database of an empty file without a word. */
static int open_file(const char *path, bool must_exist, struct err_at *at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | (must_exist ? 0 : O_CREAT), 0600), rc = -errno;
	struct stat st;

	if (fd < 0) {
		err_at_set(at, 0, 0, "%s", rc == -ENOENT ? "is missing" : err_text(rc));
		return rc;
	}
	rc = 0;
	if (must_exist && fstat(fd, &st) == 0 && st.st_size == 0) {
		err_at_set(at, 0, 0, "is empty (0 bytes)");
		rc = -ENOENT;
	}
	close(fd);
	return rc;
}

static int open_db(struct store_sqlite *s, const char *path, bool must_exist, struct err_at *at)
{
	int rc = open_file(path, must_exist, at);

	if (rc < 0)
		return rc;
	if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
		sqlite3_busy_timeout(s->db, START_BUSY_MS) != SQLITE_OK ||
		sqlite3_exec(s->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", NULL,
			NULL, NULL) != SQLITE_OK)
		return -ERR_STORE;
	return migrate(s, must_exist, at);
}

int store_sqlite_open(
	struct store_sqlite **ret, const char *path, bool must_exist, struct err_at *at)
{
	struct store_sqlite *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->store = (struct coord_store){ .ops = &ops, .batch = 1 };
	rng_fill(loop_rng(), s->seed, sizeof(s->seed));
	batch_init(&s->filling, s->seed);
	batch_init(&s->writing, s->seed);
	s->job = (struct worker_job){ .run = write_job, .done = on_written };
	s->probe = (struct worker_job){ .run = probe_job, .done = on_probed };
	rc = open_db(s, path, must_exist, at);
	if (rc == 0)
		rc = prepare(s);
	if (rc < 0) {
		if (rc == -ERR_STORE)
			err_at_set(at, 0, 0, "%s", sqlite3_errmsg(s->db));
		store_sqlite_close(s);
		return rc;
	}
	*ret = s;
	return 0;
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
	rc = loop_timer_new(l, on_probe_timer, s, &s->probe_timer);
	return rc < 0 ? rc : worker_new(&s->worker, l);
}

/* Two rounds: what is being written, and what gathered meanwhile. */
int store_sqlite_stop(struct store_sqlite *s)
{
	if (!s->worker)
		return s->store.failed;
	s->ending = true;
	worker_finish(s->worker); /* a probe, too */
	s->store.refuses = NULL;  /* once more, for what is left */
	do {
		commit(&s->store);
		worker_finish(s->worker);
	} while (!s->store.failed && !s->store.refuses && !batch_is_empty(&s->filling));
	s->worker = worker_free(s->worker);
	s->probe_timer = loop_timer_free(s->probe_timer);
	return s->store.failed;
}

void store_sqlite_state(const struct store_sqlite *s, struct store_sqlite_state *ret)
{
	*ret = (struct store_sqlite_state){ .pending = s->filling.bytes + s->writing.bytes,
		.writing_since = s->writing_since,
		.busy = s->busy,
		.busy_times = s->busy_times,
		.refused = s->refused,
		.why = s->why };
}

struct store_sqlite *store_sqlite_close(struct store_sqlite *s)
{
	if (!s)
		return NULL;
	sqlite3_finalize(s->put);
	sqlite3_finalize(s->del);
	sqlite3_finalize(s->load);
	sqlite3_finalize(s->begin);
	sqlite3_finalize(s->commit);
	sqlite3_finalize(s->rollback);
	sqlite3_close(s->db);
	batch_clear(&s->filling);
	batch_clear(&s->writing);
	free(s);
	return NULL;
}

struct coord_store *store_sqlite_store(struct store_sqlite *s)
{
	return &s->store;
}
