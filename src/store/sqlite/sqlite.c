#include "store/sqlite/sqlite.h"
#include "base/rng/rng.h"
#include "os/loop/loop.h"
#include "store/batch/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

enum { SCHEMA_VERSION = 2 }; /* 2: settings and policies, which a hub that knows 1 would leave aside */

struct store_sqlite {
	struct ctl_store store;
	sqlite3 *db;
	sqlite3_stmt *put, *del, *load, *begin, *commit, *rollback;
	struct batch filling;
};

static struct store_sqlite *of(struct ctl_store *s)
{
	return container_of(s, struct store_sqlite, store);
}

static int run(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : -ERR_STORE;
}

static int put(struct ctl_store *store, enum ctl_kind kind, int64_t id, struct view doc)
{
	return batch_add(&of(store)->filling, kind, id, &doc);
}

static int del(struct ctl_store *store, enum ctl_kind kind, int64_t id)
{
	return batch_add(&of(store)->filling, kind, id, NULL);
}

static int load(struct ctl_store *store, enum ctl_kind kind, int (*fn)(void *ctx, int64_t id, struct view doc), void *ctx)
{
	struct store_sqlite *s = of(store);
	int rc = 0, step = SQLITE_DONE;

	sqlite3_bind_int(s->load, 1, (int)kind);
	while (rc == 0 && (step = sqlite3_step(s->load)) == SQLITE_ROW)
		rc = fn(ctx, sqlite3_column_int64(s->load, 0),
			view_of(sqlite3_column_text(s->load, 1), (size_t)sqlite3_column_bytes(s->load, 1)));
	sqlite3_reset(s->load);
	return rc < 0 ? rc : step == SQLITE_DONE ? 0 : -ERR_STORE;
}

static int write_row(struct store_sqlite *s, const struct batch_row *r)
{
	sqlite3_stmt *st = r->deleted ? s->del : s->put;

	sqlite3_bind_int64(st, 1, r->key.kind);
	sqlite3_bind_int64(st, 2, r->key.id);
	if (!r->deleted)
		sqlite3_bind_text(st, 3, (const char *)r->doc, (int)r->len, SQLITE_STATIC);
	return run(st);
}

static int write_batch(struct store_sqlite *s)
{
	int rc = run(s->begin);

	if (rc < 0)
		return rc;
	list_for_each(l, &s->filling.rows)
		if (rc == 0)
			rc = write_row(s, container_of(l, struct batch_row, link));
	if (rc == 0)
		rc = run(s->commit);
	if (rc < 0)
		run(s->rollback);
	return rc;
}

static void commit(struct ctl_store *store)
{
	struct store_sqlite *s = of(store);

	if (store->failed || batch_is_empty(&s->filling))
		return;
	store->failed = write_batch(s);
	batch_clear(&s->filling);
	if (!store->failed)
		store->durable = store->batch++;
}

static const struct ctl_store_ops ops = { put, del, load, commit };

static int user_version(sqlite3 *db)
{
	sqlite3_stmt *st;
	int v = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return v;
}

static int migrate(struct store_sqlite *s, struct err_at *at)
{
	int v = user_version(s->db);

	if (v > SCHEMA_VERSION) {
		err_at_set(at, 0, 0, "the database is from a newer version (%d, this one knows %d); update the hub", v,
			SCHEMA_VERSION);
		return -ERR_BAD_VERSION;
	}
	if (v < 1 && sqlite3_exec(s->db,
			     "BEGIN; CREATE TABLE doc (kind INTEGER, id INTEGER, doc TEXT NOT NULL, PRIMARY KEY (kind, id)) "
			     "WITHOUT ROWID; PRAGMA user_version = 1; COMMIT", NULL, NULL, NULL) != SQLITE_OK)
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
		{ &s->load, "SELECT id, doc FROM doc WHERE kind = ? ORDER BY id" }, { &s->begin, "BEGIN IMMEDIATE" },
		{ &s->commit, "COMMIT" }, { &s->rollback, "ROLLBACK" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (sqlite3_prepare_v3(s->db, rows[i].sql, -1, SQLITE_PREPARE_PERSISTENT, rows[i].st, NULL) != SQLITE_OK)
			return -ERR_STORE;
	return 0;
}

int store_sqlite_open(struct store_sqlite **ret, const char *path, struct err_at *at)
{
	struct store_sqlite *s = calloc(1, sizeof(*s));
	uint8_t seed[16];
	int rc = 0, fd;

	if (!s)
		return -ENOMEM;
	s->store = (struct ctl_store){ .ops = &ops, .batch = 1 };
	rng_fill(loop_rng(), seed, sizeof(seed));
	batch_init(&s->filling, seed);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* SQLite would use the umask */
	if (fd < 0) {
		rc = -errno;
		err_at_set(at, 0, 0, "%s: %s", path, err_text(rc));
		free(s);
		return rc;
	}
	close(fd);
	if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
		sqlite3_exec(s->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", NULL, NULL, NULL) != SQLITE_OK)
		rc = -ERR_STORE;
	sqlite3_busy_timeout(s->db, 5000);
	if (rc == 0)
		rc = migrate(s, at);
	if (rc == 0)
		rc = prepare(s);
	if (rc < 0) {
		if (rc == -ERR_STORE)
			err_at_set(at, 0, 0, "%s: %s", path, sqlite3_errmsg(s->db));
		store_sqlite_close(s);
		return rc;
	}
	*ret = s;
	return 0;
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
	free(s);
	return NULL;
}

struct ctl_store *store_sqlite_store(struct store_sqlite *s)
{
	return &s->store;
}
