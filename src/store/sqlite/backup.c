/* A hub in one file. VACUUM INTO reads in one transaction: writers go on beside it, and the copy is of one moment. */
#include "store/sqlite/backup.h"
#include "core/coord/coord.h"
#include "os/file/file.h"
#include "store/sqlite/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PATH_LEN = 4096, BUSY_MS = 10000 };

struct store_backup {
	sqlite3 *db;
	struct store_backup_info info;
};

static const char tables[] =
	"CREATE TABLE backup (made INTEGER NOT NULL, version TEXT NOT NULL);"
	"CREATE TABLE backup_file (name TEXT PRIMARY KEY, mode INTEGER NOT NULL, content BLOB NOT NULL)";

bool store_backup_name_is_good(const char *name)
{
	size_t len = strlen(name), parts = 1;

	if (!len || len > STORE_BACKUP_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char ch = name[i];
		bool first = i == 0 || name[i - 1] == '/';

		if (ch == '/') {
			if (first || i + 1 == len || ++parts > 2)
				return false;
		} else if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
				   (ch >= '0' && ch <= '9') || ch == '-' || ch == '_' ||
				   (ch == '.' && !first))) {
			return false;
		}
	}
	return true;
}

static int explain(sqlite3 *db, struct err_at *at)
{
	err_at_set(at, 0, 0, "%s", db ? sqlite3_errmsg(db) : "out of memory");
	return -ERR_STORE;
}

static int run(sqlite3 *db, const char *sql, struct err_at *at)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : explain(db, at);
}

/* SQLite takes an empty file for a new one, and leaves its mode as it is. */
int store_backup_copy(sqlite3 *db, const char *to)
{
	char *sql = sqlite3_mprintf("VACUUM INTO %Q", to);
	int fd, rc = -ERR_STORE;

	unlink(to);
	fd = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		rc = -errno;
	else if (sql && sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
		rc = 0;
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && rc < 0)
		unlink(to);
	sqlite3_free(sql);
	return rc;
}

static int open_file(sqlite3 **ret, const char *path, int flags, struct err_at *at)
{
	int rc = 0;

	*ret = NULL;
	if (access(path, R_OK) != 0)
		return file_explain(path, -errno, at);
	if (sqlite3_open_v2(path, ret, flags, NULL) != SQLITE_OK ||
		sqlite3_busy_timeout(*ret, BUSY_MS) != SQLITE_OK)
		rc = explain(*ret, at);
	if (rc < 0) {
		sqlite3_close(*ret);
		*ret = NULL;
	}
	return rc;
}

/* ---- Writing ---- */

static int put_info(sqlite3 *db, const struct store_backup_info *info)
{
	sqlite3_stmt *st = NULL;
	int rc = -ERR_STORE;

	if (sqlite3_prepare_v2(db, "INSERT INTO backup VALUES (?, ?)", -1, &st, NULL) ==
			SQLITE_OK &&
		sqlite3_bind_int64(st, 1, info->made) == SQLITE_OK &&
		sqlite3_bind_text(st, 2, info->version, -1, SQLITE_STATIC) == SQLITE_OK &&
		sqlite3_step(st) == SQLITE_DONE)
		rc = 0;
	sqlite3_finalize(st);
	return rc;
}

static int put_file(sqlite3 *db, const struct store_backup_file *f)
{
	sqlite3_stmt *st = NULL;
	int rc = -ERR_STORE;

	if (sqlite3_prepare_v2(db, "INSERT INTO backup_file VALUES (?, ?, ?)", -1, &st, NULL) ==
			SQLITE_OK &&
		sqlite3_bind_text(st, 1, f->name, -1, SQLITE_STATIC) == SQLITE_OK &&
		sqlite3_bind_int64(st, 2, f->mode) == SQLITE_OK &&
		sqlite3_bind_blob(st, 3, f->content.len ? f->content.p : (const void *)"",
			(int)f->content.len, SQLITE_STATIC) == SQLITE_OK &&
		sqlite3_step(st) == SQLITE_DONE)
		rc = 0;
	sqlite3_finalize(st);
	return rc;
}

static int add_files(const char *path, const struct store_backup_file *v, size_t n,
	const struct store_backup_info *info, struct err_at *at)
{
	sqlite3 *db;
	int rc = open_file(&db, path, SQLITE_OPEN_READWRITE, at);

	if (rc < 0)
		return rc;
	rc = run(db, "BEGIN", at);
	if (rc == 0)
		rc = run(db, tables, at);
	if (rc == 0)
		rc = put_info(db, info);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = put_file(db, &v[i]);
	if (rc == 0)
		rc = run(db, "COMMIT", at);
	if (rc < 0 && !at->text[0])
		explain(db, at);
	sqlite3_close(db);
	return rc;
}

/* Beside the name that was asked for, until it is whole. */
static int beside(const char *to, char out[static PATH_LEN], struct err_at *at)
{
	if (access(to, F_OK) == 0) {
		err_at_set(at, 0, 0, "%.200s is there already: name another file", to);
		return -EEXIST;
	}
	return snprintf(out, PATH_LEN, "%s.part", to) < PATH_LEN ? 0 : -ENAMETOOLONG;
}

static int settle(const char *tmp, const char *to, int rc, struct err_at *at)
{
	if (rc == 0)
		rc = file_put(tmp, to);
	if (rc < 0)
		unlink(tmp);
	if (rc < 0 && !at->text[0])
		err_at_set(at, 0, 0, "%.200s: %s", to, err_text(rc));
	return rc;
}

int store_backup_write(const char *path, const char *to, const struct store_backup_file *v,
	size_t n, const struct store_backup_info *info, struct err_at *at)
{
	char tmp[PATH_LEN];
	sqlite3 *db;
	int rc;

	at->text[0] = 0;
	rc = beside(to, tmp, at);
	if (rc == 0)
		rc = open_file(&db, path, SQLITE_OPEN_READWRITE, at);
	if (rc < 0)
		return rc;
	rc = store_backup_copy(db, tmp);
	if (rc == -ERR_STORE)
		explain(db, at);
	sqlite3_close(db);
	if (rc == 0)
		rc = add_files(tmp, v, n, info, at);
	return settle(tmp, to, rc, at);
}

/* ---- Reading ---- */

static int64_t number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t n = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
		sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static bool is_sound(sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	bool sound =
		sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &st, NULL) == SQLITE_OK &&
		sqlite3_step(st) == SQLITE_ROW &&
		!strcmp((const char *)sqlite3_column_text(st, 0), "ok");

	sqlite3_finalize(st);
	return sound;
}

static int64_t count(sqlite3 *db, enum coord_kind kind)
{
	char sql[80];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM doc WHERE kind = %d", (int)kind);
	return number(db, sql);
}

static int read_info(struct store_backup *b)
{
	sqlite3_stmt *st = NULL;
	int rc = -ERR_BAD_FORMAT;

	if (sqlite3_prepare_v2(b->db, "SELECT made, version FROM backup", -1, &st, NULL) ==
			SQLITE_OK &&
		sqlite3_step(st) == SQLITE_ROW && sqlite3_column_text(st, 1)) {
		b->info.made = sqlite3_column_int64(st, 0);
		snprintf(b->info.version, sizeof(b->info.version), "%s",
			(const char *)sqlite3_column_text(st, 1));
		rc = 0;
	}
	sqlite3_finalize(st);
	b->info.users = count(b->db, COORD_USER);
	b->info.devices = count(b->db, COORD_NODE);
	b->info.keys = count(b->db, COORD_KEY);
	return b->info.users < 0 ? -ERR_BAD_FORMAT : rc;
}

static int check(struct store_backup *b, const char *path, struct err_at *at)
{
	int64_t schema;

	if (!is_sound(b->db)) {
		err_at_set(at, 0, 0,
			"%.200s is damaged, or no file that \"warren-hub backup\" made", path);
		return -ERR_BAD_FORMAT;
	}
	schema = number(b->db, "PRAGMA user_version");
	if (schema > SCHEMA_VERSION) {
		err_at_set(at, 0, 0,
			"%.200s is from a newer version (%lld, this one knows %d); update the hub first",
			path, (long long)schema, SCHEMA_VERSION);
		return -ERR_BAD_VERSION;
	}
	if (read_info(b) < 0) {
		err_at_set(at, 0, 0,
			"%.200s is a database, but none that \"warren-hub backup\" made", path);
		return -ERR_BAD_FORMAT;
	}
	return 0;
}

int store_backup_open(struct store_backup **ret, const char *path, struct err_at *at)
{
	struct store_backup *b = calloc(1, sizeof(*b));
	int rc;

	at->text[0] = 0;
	rc = b ? open_file(&b->db, path, SQLITE_OPEN_READONLY, at) : -ENOMEM;
	if (rc == 0)
		rc = check(b, path, at);
	if (rc < 0)
		b = store_backup_close(b);
	*ret = b;
	return rc;
}

struct store_backup *store_backup_close(struct store_backup *b)
{
	if (b)
		sqlite3_close(b->db);
	free(b);
	return NULL;
}

void store_backup_info(const struct store_backup *b, struct store_backup_info *ret)
{
	*ret = b->info;
}

static int file_of(sqlite3_stmt *st, struct store_backup_file *ret)
{
	const char *name = (const char *)sqlite3_column_text(st, 0);
	const void *p = sqlite3_column_blob(st, 2);
	int len = sqlite3_column_bytes(st, 2);

	if (!name || !store_backup_name_is_good(name) || len > STORE_BACKUP_FILE_MAX)
		return -ERR_BAD_FORMAT;
	*ret = (struct store_backup_file){ .name = name,
		.mode = (unsigned)sqlite3_column_int64(st, 1) & 0700,
		.content = view_of(len ? p : "", (size_t)len) };
	return 0;
}

int store_backup_files(
	struct store_backup *b, int (*fn)(void *ctx, const struct store_backup_file *f), void *ctx)
{
	sqlite3_stmt *st = NULL;
	int step = SQLITE_ERROR, rc = 0;
	size_t n = 0;

	if (sqlite3_prepare_v2(b->db, "SELECT name, mode, content FROM backup_file ORDER BY name",
		    -1, &st, NULL) == SQLITE_OK)
		while (rc == 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
			struct store_backup_file f;

			rc = ++n > STORE_BACKUP_FILES_MAX ? -ERR_TOO_MANY : file_of(st, &f);
			if (rc == 0)
				rc = fn(ctx, &f);
		}
	sqlite3_finalize(st);
	return rc < 0 ? rc : step == SQLITE_DONE ? 0 : -ERR_STORE;
}

static int drop_tables(const char *path, struct err_at *at)
{
	sqlite3 *db;
	int rc = open_file(&db, path, SQLITE_OPEN_READWRITE, at);

	if (rc < 0)
		return rc;
	rc = run(db, "BEGIN; DROP TABLE backup; DROP TABLE backup_file; COMMIT; VACUUM", at);
	sqlite3_close(db);
	return rc;
}

int store_backup_extract(struct store_backup *b, const char *path, struct err_at *at)
{
	char tmp[PATH_LEN];
	int rc;

	at->text[0] = 0;
	rc = beside(path, tmp, at);
	if (rc < 0)
		return rc;
	rc = store_backup_copy(b->db, tmp);
	if (rc == -ERR_STORE)
		explain(b->db, at);
	if (rc == 0)
		rc = drop_tables(tmp, at);
	return settle(tmp, path, rc, at);
}
