/*
 * store/sqlite/backup: all that a hub is, in one file: a database like the hub's own, as it was at one moment, with the small files that
 * lie beside it (keys, certificates) in a table. For programs beside the hub: the hub goes on meanwhile, and notices nothing.
 *
 * The file is an SQLite database with the hub's tables and two more: backup (made, version) and backup_file (name, mode, content).
 */
#ifndef WARREN_STORE_SQLITE_BACKUP_H
#define WARREN_STORE_SQLITE_BACKUP_H

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/time/time.h"

#include <stdbool.h>

enum {
	STORE_BACKUP_FILES_MAX = 256,
	STORE_BACKUP_FILE_MAX = 1 << 20, /* bytes of one */
	STORE_BACKUP_NAME_MAX = 128,
};

struct store_backup_file {
	const char *name; /* below the state directory: "noise.key", "acme/account.key" */
	unsigned mode;    /* its permissions */
	struct view content;
};

struct store_backup_info {
	unix_ms made;
	char version[64]; /* of the program that made it */
	int64_t users, devices, keys;
};

/* A relative name of one or two parts of letters, digits, dots, dashes and underlines; no part begins with a dot. */
bool store_backup_name_is_good(const char *name);

/*
 * Of the database file `db`, to a new file (0600), which is there whole and durable or not at all. -EEXIST: there is one. at says in
 * words what went wrong.
 */
MUST_USE int store_backup_write(const char *db, const char *to, const struct store_backup_file *v,
	size_t n, const struct store_backup_info *info, struct err_at *at);

struct store_backup;

/* Reads and checks all of it. -ERR_BAD_FORMAT: no backup, or damaged; -ERR_BAD_VERSION: of a newer program. */
MUST_USE int store_backup_open(struct store_backup **ret, const char *path, struct err_at *at);
struct store_backup *store_backup_close(struct store_backup *b);
void store_backup_info(const struct store_backup *b, struct store_backup_info *ret);
/* One after the other; the content until fn returns. What fn returns below 0 ends it. */
MUST_USE int store_backup_files(
	struct store_backup *b, int (*fn)(void *ctx, const struct store_backup_file *f), void *ctx);
/* Its database, as a hub wants it, to this path (0600): durable, and nothing was there before. */
MUST_USE int store_backup_extract(struct store_backup *b, const char *db, struct err_at *at);

/*
 * A copy of an open database as it is on the disk, to a new file (0600), for before something is done to it. Not in a transaction.
 * -ERR_STORE.
 */
struct sqlite3;
MUST_USE int store_backup_copy(struct sqlite3 *db, const char *to);

#endif
