/* store/sqlite: between its files. From the top down: sqlite.c, write.c, read.c, feed.c, schema.c, backup.c. */
#ifndef WARREN_STORE_SQLITE_INTERNAL_H
#define WARREN_STORE_SQLITE_INTERNAL_H

#include "os/worker/worker.h"
#include "store/batch/batch.h"
#include "store/sqlite/sqlite.h"

#include <sqlite3.h>
#include <stdatomic.h>

enum {
	SCHEMA_VERSION = 3,
	TRY_MS =
		250, /* SQLite's own tries; between two of ours the writer looks whether the program ends */
	PROBE_KIND =
		-1, /* no document's: the probe of the disk, and the first row of the list of changes */
};

enum statement {
	ST_PUT,
	ST_DEL,
	ST_LOAD,
	ST_BEGIN,
	ST_READ,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_VERSION,
	ST_LAST,
	ST_MARK,
	ST_FOREIGN,
	ST_FORGET,
	N_STATEMENTS,
};

/* A place in the list of changes. The mark is a random number of its row: who has another one there has another history. */
struct feed_place {
	int64_t seq, mark;
};

/* What one job found of others; handed to the owner when it is done. */
struct feed_found {
	struct batch rows;
	bool all; /* too much, or not to be known */
};

struct store_sqlite {
	struct coord_store store;
	sqlite3 *db; /* of the thread, once it runs; so are the statements */
	sqlite3_stmt *st[N_STATEMENTS];
	sqlite3 *reading; /* of the loop's thread, for read.c */
	struct batch filling, writing;
	uint8_t seed[16];
	bool was_made, ignores;
	uint64_t promised_before; /* it ignores */
	struct loop *loop;
	struct worker *worker; /* NULL: commits write in place */
	struct worker_job job; /* while writing is not empty */
	bool promises_only;    /* what is being written without a promise gives way */
	mono_ns writing_since;
	int job_rc;
	char why[256];     /* of job_rc */
	char refusal[320]; /* store.refuses, when it does */
	struct worker_job probe;
	struct loop_timer *probe_timer;
	int probe_rc;
	bool probing;
	uint64_t refused;
	atomic_bool busy, ending;
	atomic_ullong busy_times;

	int64_t version; /* of the thread: SQLite's count of what other connections wrote, at the last look */
	struct feed_place seen; /* of the thread: the list is read up to here */
	struct feed_found by_write, by_look;
	struct worker_job look;
	struct loop_timer *look_timer;
	bool looking;
	struct batch untold; /* foreign changes that the owner has not taken */
	uint64_t n_foreign;  /* documents that others changed */
};

static inline bool is_busy(int step)
{
	return (step & 0xff) == SQLITE_BUSY || (step & 0xff) == SQLITE_LOCKED;
}

/* 0; -EBUSY: another process holds the database; -ERR_STORE. */
int statement_rc(int step);

/* schema.c: the file, its tables, the statements */
MUST_USE int schema_open(
	struct store_sqlite *s, const char *path, bool must_exist, struct err_at *at);
void schema_close(struct store_sqlite *s);
void schema_bind_key(struct store_sqlite *s, sqlite3_stmt *st, int64_t kind, int64_t id);

/* feed.c: what others changed */
void feed_init(struct store_sqlite *s);
/* From here on what others write is found. */
MUST_USE int feed_begin(struct store_sqlite *s);
void feed_fini(struct store_sqlite *s);
/* Up to where the list goes now. 0, -EBUSY or -ERR_STORE. */
MUST_USE int feed_last(struct store_sqlite *s, struct feed_place *ret);
/*
 * In a transaction: what others changed since the place that was seen, and where the list ends. The caller moves `seen` there when
 * the transaction is over, or clears what was found.
 */
MUST_USE int feed_read(struct store_sqlite *s, struct feed_found *f, struct feed_place *end);
void feed_found_clear(struct feed_found *f);
/* On the loop. What was found is to be told, but for documents of which a promise is on its way. */
void feed_tell(struct store_sqlite *s, struct feed_found *f);
void feed_look(struct store_sqlite *s);
void feed_on_timer(void *ctx);
/* A change of the owner, while a foreign one of the document is to be told. True: it gives way. */
bool feed_settles(struct store_sqlite *s, int64_t kind, int64_t id, bool promised);
int feed_changes(struct coord_store *store,
	int (*fn)(void *ctx, enum coord_kind kind, int64_t id, const struct view *doc), void *ctx);

/* read.c: single documents, and lists that nobody keeps in memory, on a connection of their own */
MUST_USE int read_open(struct store_sqlite *s, const char *path, struct err_at *at);
void read_close(struct store_sqlite *s);
int read_doc(struct coord_store *store, enum coord_kind kind, int64_t id, struct buf *out);
int read_docs(struct coord_store *store, enum coord_kind kind, int64_t from, bool down,
	int (*fn)(void *ctx, int64_t id, struct view doc), void *ctx);

/* write.c: what is in `writing` goes to the disk; a probe when it refuses */
void write_begin(struct store_sqlite *s);
void write_init(struct store_sqlite *s);
void write_on_probe_timer(void *ctx);
/* After every change of what waits. */
void write_note_pending(struct store_sqlite *s);

static inline struct store_sqlite *store_sqlite_of(struct coord_store *s)
{
	return container_of(s, struct store_sqlite, store);
}

#endif
