/*
 * store/sqlite: the hub's database in one file: a table of documents by tailnet, kind and number. Write-ahead log with full
 * synchronisation: a batch that counts as durable is on the disk.
 *
 * Until store_sqlite_start a commit writes in place; from then on one thread writes, one batch at a time, and the loop goes on.
 * When another process holds the database the writer tries again for STORE_BUSY_S. Then, and at once when the disk refuses (it is
 * full, read-only, broken), the store takes no further changes (`refuses` says why) until a probe of STORE_PROBE_LEN bytes, each
 * STORE_PROBE_S, was written. Rows without a promise are kept until then. If there was a promise among what could not be written,
 * the store has `failed`: memory is ahead of the disk, and the owner forgets (store_sqlite_forget) and loads anew.
 *
 * Several processes, or handles, may write one file, and a person with sqlite3. Triggers list each change of a document in the table
 * `change`, whose newest STORE_CHANGES_KEPT rows are kept. The thread looks each STORE_LOOK_S, and before it writes, whether others
 * were there. Who finds the list cut off, or another one (a backup was restored into the file), has to load anew.
 */
#ifndef WARREN_STORE_SQLITE_SQLITE_H
#define WARREN_STORE_SQLITE_SQLITE_H

#include "core/coord/coord.h"
#include "os/loop/loop.h"

struct store_sqlite;

enum {
	STORE_BUSY_S = 60,      /* a database that another process holds is tried for so long */
	STORE_LAST_BUSY_S = 10, /* at the end of the program: so much longer */
	STORE_PENDING_MAX =
		64 << 20, /* bytes that wait to be written; above, no change is to be begun */
	STORE_PROBE_LEN = 64 * 1024,
	STORE_PROBE_S = 2,
	STORE_LOOK_S = 1,
	STORE_CHANGES_KEPT = 20000,
	STORE_FOREIGN_MAX = 16 << 20, /* bytes of what others changed; above, all is loaded anew */
};

struct store_sqlite_state {
	size_t pending;        /* bytes that wait or are being written */
	mono_ns writing_since; /* by the loop's clock; 0: nothing is being written */
	bool busy;             /* another process holds the database */
	uint64_t busy_times;   /* batches that had to wait for one */
	uint64_t refused;      /* batches that the disk refused */
	uint64_t foreign;      /* documents that others changed */
	const char *
		why; /* of a failed load or store: SQLite's words; else "". Not while a batch is written */
};

/*
 * Brings an older schema up to date, in one transaction. Creates the file (0600) and its schema, unless must_exist: then -ENOENT, with
 * what was found instead of a database in *at. -ERR_BAD_VERSION: it is of a newer program. The store is of tailnet 1.
 */
MUST_USE int store_sqlite_open(
	struct store_sqlite **ret, const char *path, bool must_exist, struct err_at *at);
/* Of another tailnet, or of the same once more, in a file that store_sqlite_open has opened before. */
MUST_USE int store_sqlite_open_tailnet(
	struct store_sqlite **ret, const char *path, int64_t tailnet, struct err_at *at);
bool store_sqlite_was_made(const struct store_sqlite *s); /* by this open */
/* After the last load, and after the process gave up rights: the thread keeps what it is born with. */
MUST_USE int store_sqlite_start(struct store_sqlite *s, struct loop *l);
/* Writes all that waits and ends the thread. Before the loop is freed. Negative: not all was written. */
int store_sqlite_stop(struct store_sqlite *s);
void store_sqlite_state(const struct store_sqlite *s, struct store_sqlite_state *ret);
/* Looks for what others changed now, and not with the next second. In place until store_sqlite_start. */
void store_sqlite_look(struct store_sqlite *s);
/* What was promised is durable, and the thread has nothing to do: what is on the disk may be loaded. */
bool store_sqlite_is_quiet(const struct store_sqlite *s);
/*
 * After `failed`, and after COORD_FOREIGN_ALL once it is quiet: drops what is not durable, and foreign changes. The owner loads what is durable,
 * before this turn of the loop is over.
 */
void store_sqlite_forget(struct store_sqlite *s);
/* true: what is changed from now on is dropped, while an engine ends whose memory is older than the disk. */
void store_sqlite_ignore(struct store_sqlite *s, bool yes);
struct store_sqlite *store_sqlite_close(struct store_sqlite *s);
struct coord_store *store_sqlite_store(struct store_sqlite *s);

#endif
