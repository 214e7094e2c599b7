/* The file of the database: its tables, and how those of older versions are brought up to date. */
#include "os/log/log.h"
#include "store/sqlite/backup.h"
#include "store/sqlite/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { START_BUSY_MS = 5000, PATH_LEN = 4096 };

/*
 * What brings the schema from version i to version i + 1. A new kind of document is none: kinds are numbers. It is one when a
 * program of before would leave it aside, and so do harm.
 */
static const char *const steps[SCHEMA_VERSION] = {
	"CREATE TABLE doc (kind INTEGER, id INTEGER, doc TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID",
	/* 2: the same tables, with settings and policies */
	"",
	/*
	 * 3: documents by tailnet, and the list of changes. Triggers keep it, so that it has also what a person does with sqlite3. Its
	 * first row stands for all that was before.
	 */
	"ALTER TABLE doc RENAME TO old_doc;"
	"CREATE TABLE doc (tailnet INTEGER, kind INTEGER, id INTEGER, doc TEXT NOT NULL, PRIMARY KEY (tailnet, kind, id)) "
	"WITHOUT ROWID;"
	"INSERT INTO doc SELECT 1, kind, id, doc FROM old_doc;"
	"DROP TABLE old_doc;"
	"CREATE TABLE change (seq INTEGER PRIMARY KEY, tailnet INTEGER, kind INTEGER, id INTEGER, mark INTEGER);"
	"INSERT INTO change VALUES (1, 0, -1, 0, random());"
	"CREATE TRIGGER doc_put AFTER INSERT ON doc BEGIN "
	"INSERT INTO change VALUES (NULL, new.tailnet, new.kind, new.id, random()); END;"
	"CREATE TRIGGER doc_del AFTER DELETE ON doc BEGIN "
	"INSERT INTO change VALUES (NULL, old.tailnet, old.kind, old.id, random()); END;"
	"CREATE TRIGGER doc_set AFTER UPDATE ON doc BEGIN "
	"INSERT INTO change VALUES (NULL, old.tailnet, old.kind, old.id, random());"
	"INSERT INTO change VALUES (NULL, new.tailnet, new.kind, new.id, random()); END",
};

static const char *const statements[N_STATEMENTS] = {
	[ST_PUT] = "INSERT OR REPLACE INTO doc (tailnet, kind, id, doc) VALUES (?, ?, ?, ?)",
	[ST_DEL] = "DELETE FROM doc WHERE tailnet = ? AND kind = ? AND id = ?",
	[ST_LOAD] = "SELECT id, doc FROM doc WHERE tailnet = ? AND kind = ? ORDER BY id",
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_READ] = "BEGIN",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_VERSION] = "PRAGMA data_version",
	[ST_LAST] = "SELECT seq, mark FROM change ORDER BY seq DESC LIMIT 1",
	[ST_MARK] = "SELECT mark FROM change WHERE seq = ?",
	[ST_FOREIGN] =
		"SELECT c.kind, c.id, d.doc FROM change c LEFT JOIN doc d ON d.tailnet = c.tailnet AND d.kind = c.kind AND "
		"d.id = c.id WHERE c.tailnet = ? AND c.seq > ? AND c.kind >= 0 ORDER BY c.seq",
	[ST_FORGET] = "DELETE FROM change WHERE seq <= ?",
};

int statement_rc(int step)
{
	return step == SQLITE_DONE || step == SQLITE_ROW ? 0 : is_busy(step) ? -EBUSY : -ERR_STORE;
}

void schema_bind_key(struct store_sqlite *s, sqlite3_stmt *st, int64_t kind, int64_t id)
{
	sqlite3_bind_int64(st, 1, s->store.tailnet);
	sqlite3_bind_int64(st, 2, kind);
	sqlite3_bind_int64(st, 3, id);
}

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

static int is_newer(int v, struct err_at *at)
{
	err_at_set(at, 0, 0,
		"the database is from a newer version (%d, this one knows %d); update the hub", v,
		SCHEMA_VERSION);
	return -ERR_BAD_VERSION;
}

/* All steps in one transaction: a program that is killed, or a disk that is full, leaves the old schema. */
static int bring_up(struct store_sqlite *s, struct err_at *at)
{
	char pragma[64];
	int v, rc;

	if (sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return -ERR_STORE;
	v = user_version(s->db); /* another process may have been faster */
	rc = v < 0 ? -ERR_STORE : v > SCHEMA_VERSION ? is_newer(v, at) : 0;
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d; COMMIT", SCHEMA_VERSION);
	for (int i = v; rc == 0 && i < SCHEMA_VERSION; i++)
		if (sqlite3_exec(s->db, steps[i], NULL, NULL, NULL) != SQLITE_OK)
			rc = -ERR_STORE;
	if (rc == 0 && sqlite3_exec(s->db, pragma, NULL, NULL, NULL) != SQLITE_OK)
		rc = -ERR_STORE;
	if (rc == -ERR_STORE)
		err_at_set(at, 0, 0, "%s", sqlite3_errmsg(s->db));
	if (rc < 0)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* Who goes back to the program of before needs what it wrote. "hub.db.before-4" is what this schema 4 was made of. */
static int keep_old(struct store_sqlite *s, const char *path, int v, struct err_at *at)
{
	char to[PATH_LEN];
	int rc;

	if (snprintf(to, sizeof(to), "%s.before-%d", path, SCHEMA_VERSION) >= (int)sizeof(to))
		return -ENAMETOOLONG;
	rc = store_backup_copy(s->db, to);
	if (rc < 0)
		err_at_set(at, 0, 0,
			"the database is of an older version (%d) and is to be brought up to date; no copy of it could be made first: %s",
			v, rc == -ERR_STORE ? sqlite3_errmsg(s->db) : err_text(rc));
	return rc;
}

static int migrate(struct store_sqlite *s, const char *path, bool must_exist, struct err_at *at)
{
	int v = user_version(s->db), rc = 0;

	if (v == 0 && must_exist) {
		err_at_set(at, 0, 0, "holds no tables of a hub");
		return -ENOENT;
	}
	s->was_made = v == 0;
	if (v > SCHEMA_VERSION)
		return is_newer(v, at);
	if (v > 0 && v < SCHEMA_VERSION)
		rc = keep_old(s, path, v, at);
	if (rc == 0 && v < SCHEMA_VERSION)
		rc = bring_up(s, at);
	if (rc == 0 && v > 0 && v < SCHEMA_VERSION)
		log_info("store",
			"the database is brought up to date; as it was before it is beside it",
			"from=%d to=%d before=\"%s.before-%d\"", v, SCHEMA_VERSION, path,
			SCHEMA_VERSION);
	return rc;
}

static int prepare(struct store_sqlite *s)
{
	for (size_t i = 0; i < N_STATEMENTS; i++)
		if (sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
			    &s->st[i], NULL) != SQLITE_OK)
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
	rc = migrate(s, path, must_exist, at);
	return rc < 0 ? rc : prepare(s);
}

int schema_open(struct store_sqlite *s, const char *path, bool must_exist, struct err_at *at)
{
	int rc = open_db(s, path, must_exist, at);

	if (rc == -ERR_STORE && !at->text[0])
		err_at_set(at, 0, 0, "%s", sqlite3_errmsg(s->db));
	return rc;
}

void schema_close(struct store_sqlite *s)
{
	for (size_t i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(s->st[i]);
	sqlite3_close(s->db);
}
