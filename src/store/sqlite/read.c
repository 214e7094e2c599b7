/*
 * Reading on the loop's thread, beside the writer: rare and small. In WAL mode a reader waits for nobody, and nobody for it. What waits to
 * be written is newer than what is read, and counts first.
 */
#include "store/sqlite/internal.h"

#include <errno.h>

enum { CACHE_KIB = 64 };

int read_open(struct store_sqlite *s, const char *path, struct err_at *at)
{
	char pragma[40];

	snprintf(pragma, sizeof(pragma), "PRAGMA cache_size = -%d", CACHE_KIB);
	if (sqlite3_open_v2(path, &s->reading, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
		sqlite3_busy_timeout(s->reading, TRY_MS) == SQLITE_OK &&
		sqlite3_exec(s->reading, pragma, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	err_at_set(at, 0, 0, "%s", s->reading ? sqlite3_errmsg(s->reading) : "out of memory");
	return -ERR_STORE;
}

void read_close(struct store_sqlite *s)
{
	sqlite3_close(s->reading);
	s->reading = NULL;
}

static const struct batch_row *waiting(struct store_sqlite *s, int64_t kind, int64_t id)
{
	const struct batch_row like = { .key = { .kind = kind, .id = id } };
	const struct batch_row *r = batch_find(&s->filling, &like);

	return r ? r : batch_find(&s->writing, &like);
}

int read_doc(struct coord_store *store, enum coord_kind kind, int64_t id, struct buf *out)
{
	struct store_sqlite *s = store_sqlite_of(store);
	const struct batch_row *r = waiting(s, kind, id);
	sqlite3_stmt *st = NULL;
	int step = SQLITE_ERROR, rc;

	if (r)
		return r->deleted ? -ENOENT : buf_append(out, r->doc, r->len);
	if (sqlite3_prepare_v2(s->reading,
		    "SELECT doc FROM doc WHERE tailnet = ? AND kind = ? AND id = ?", -1, &st,
		    NULL) == SQLITE_OK) {
		schema_bind_key(s, st, kind, id);
		step = sqlite3_step(st);
	}
	rc = step == SQLITE_DONE ? -ENOENT : step != SQLITE_ROW ? -ERR_STORE : 0;
	if (rc == 0)
		rc = buf_append(
			out, sqlite3_column_text(st, 0), (size_t)sqlite3_column_bytes(st, 0));
	sqlite3_finalize(st);
	return rc;
}

int read_docs(struct coord_store *store, enum coord_kind kind, int64_t from, bool down,
	int (*fn)(void *ctx, int64_t id, struct view doc), void *ctx)
{
	struct store_sqlite *s = store_sqlite_of(store);
	sqlite3_stmt *st = NULL;
	int step = SQLITE_ERROR, rc = 0;

	if (sqlite3_prepare_v2(s->reading,
		    down ? "SELECT id, doc FROM doc WHERE tailnet = ? AND kind = ? AND id < ? ORDER BY id DESC"
			 : "SELECT id, doc FROM doc WHERE tailnet = ? AND kind = ? AND id > ? ORDER BY id",
		    -1, &st, NULL) == SQLITE_OK) {
		schema_bind_key(s, st, kind, from);
		while (rc == 0 && (step = sqlite3_step(st)) == SQLITE_ROW)
			rc = fn(ctx, sqlite3_column_int64(st, 0),
				view_of(sqlite3_column_text(st, 1),
					(size_t)sqlite3_column_bytes(st, 1)));
	}
	sqlite3_finalize(st);
	return rc < 0 ? rc : rc > 0 || step == SQLITE_DONE ? 0 : -ERR_STORE;
}
